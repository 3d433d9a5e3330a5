"""The Pi-model's term and both its gradients, and the ensemble's table, targets and weights by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.types import Progress
from labelprop.methods.base import Sum
from labelprop.methods.pi_model import PiModel
from labelprop.methods.supervised import Supervised
from labelprop.methods.temporal_ensembling import TemporalEnsembling
from small_batches import START, Fixed, Heads, batch_of, task_of

TASK = task_of([0, 1, -1, -1, -1])
NOW = Progress(60, 100, 6, 10)


class Logits(nn.Module):
    """The input as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"class": x}


def drawn(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_two_views_that_differ_cost_the_mean_squared_difference() -> None:
    x, other = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]]), torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]])
    found = PiModel().loss(Logits(), batch_of(TASK, [0, 2], 1, x, other), NOW)
    assert found.terms["agreement"].item() == pytest.approx(2 * 0.25**2 / (2 * 2))
    same = PiModel().loss(Logits(), batch_of(TASK, [0, 2], 1, x, x.clone()), NOW)
    assert same.terms["agreement"].item() == 0


def test_both_branches_learn_and_as_differences_say() -> None:
    x, other = drawn(4, 3).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()

    def loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return PiModel().loss(Logits(), batch_of(TASK, [0, 1, 2, 3], 2, a, b), NOW).total()

    assert torch.autograd.gradcheck(loss, (x, other), eps=1e-6, atol=1e-7)
    gradients = torch.autograd.grad(loss(x, other), (x, other))
    assert all(gradient.abs().max() > 1e-3 for gradient in gradients), "a stopped branch is another method"


def test_the_weight_is_nothing_in_the_first_epoch_and_then_grows_to_the_labeled_share() -> None:
    for kind, largest in ((PiModel, 100), (TemporalEnsembling, 30)):
        method = kind(batch_size=8, labeled_batch_size=2, ramp_up_share=0.5)
        method.setup(Logits(), TASK)
        at = {epoch: Progress(10 * epoch, 100, epoch, 10) for epoch in (0, 1, 2, 5, 9)}
        batch = batch_of(TASK, [0, 2], 1, drawn(2, 2), drawn(2, 2, seed=1))
        weights = {e: next(iter(method.loss(Logits(), batch, now).weights.values())) for e, now in at.items()}
        full = largest * 2 / 8
        assert weights[0] == 0
        assert weights[1] == pytest.approx(full * math.exp(-5 * 0.8**2))
        assert weights[2] == pytest.approx(full * math.exp(-5 * 0.6**2))
        assert weights[5] == weights[9] == full


def test_the_weight_is_that_of_the_setting_and_grows_within_an_epoch() -> None:
    for kind, share in ((PiModel, 80 / 300), (TemporalEnsembling, 80 / 300)):
        method = kind(batch_size=8, labeled_batch_size=2, weight=7)
        method.setup(Logits(), TASK)
        batch = batch_of(TASK, [0, 2], 1, drawn(2, 2), drawn(2, 2, seed=1))
        found = method.loss(Logits(), batch, Progress(13, 100, 1, 10)).weights
        assert list(found.values()) == pytest.approx([7 * 2 / 8 * math.exp(-5 * (1 - 0.13 / share) ** 2)])


def test_two_passes_that_are_alike_are_refused(tmp_path) -> None:
    generator, classes = np.random.default_rng(0), np.arange(40) % 2
    vectors = (3 * np.eye(2, 6)[classes] + generator.normal(size=(40, 6))).astype(np.float32)
    options = {
        "recipe": "pi",
        "epochs": 1,
        "baselines": False,
        "settings": {"batch_size": 8, "labeled_batch_size": 4},
    }
    y = np.where(np.arange(40) < 8, classes, -1)
    with pytest.raises(
        RequestError, match=r"two passes of an example are alike.*augment=, or a network with dropout"
    ):
        labelprop.train(vectors, y, out=tmp_path / "alike", report=False, model="mlp(dropout=0)", **options)
    labelprop.train(vectors, y, out=tmp_path / "dropout", report=False, **options)
    labelprop.train(
        vectors, y, out=tmp_path / "noise", report=False, model="mlp(dropout=0)", augment="noise", **options
    )


@pytest.mark.parametrize(
    ("recipe", "epochs", "said"), [("pi", 1, True), ("temporal-ensembling", 1, True), ("pi", 2, False)]
)
def test_one_epoch_is_said_to_be_of_the_labels_alone(tmp_path, recipe: str, epochs: int, said: bool) -> None:
    lines: list[str] = []

    class Said:
        def say(self, text: str) -> None:
            lines.append(text)

        def advance(self, stage: str, done: float, total: float) -> None: ...

    vectors = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    y = np.where(np.arange(40) < 8, np.arange(40) % 2, -1)
    settings = {"batch_size": 8, "labeled_batch_size": 4}
    options = {"recipe": recipe, "epochs": epochs, "baselines": False, "settings": settings, "reporter": Said()}
    labelprop.train(vectors, y, out=tmp_path / "run", report=False, **options)
    assert (f"{recipe} learns from the labels alone in its only epoch; give more --epochs" in lines) == said


def test_the_pi_model_beside_labels_makes_one_pass_a_view() -> None:
    net, passes = Heads(3, 2), []
    net.register_forward_hook(lambda *_: passes.append(1))
    method = Sum(PiModel(batch_size=4, labeled_batch_size=2), Supervised(batch_size=2))
    method.setup(net, TASK)
    found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, drawn(4, 3).float(), drawn(4, 3, seed=1).float()), NOW)
    assert set(found.terms) == {"agreement", "supervised"}
    assert len(passes) == 2


def ensemble(momentum: float = 0.6) -> TemporalEnsembling:
    method = TemporalEnsembling(momentum=momentum)
    method.setup(Logits(), TASK)
    return method


def see(method: TemporalEnsembling, rows: list[int], x: torch.Tensor) -> float:
    """One step; returns its term."""
    batch = batch_of(TASK, rows, 1, x)
    found = method.loss(Logits(), batch, NOW)
    method.after_step(Logits(), batch, dict(found.outputs), NOW)
    return found.terms["ensemble"].item()


def epoch(method: TemporalEnsembling) -> None:
    method.refresh(Logits(), Fixed(), 0)


def test_targets_are_the_unbiased_averages_of_the_epochs_that_saw_a_row() -> None:
    method, x = ensemble(), [drawn(2, 2, seed=s).float() for s in range(3)]
    p = [value.softmax(1) for value in x]
    see(method, [0, 2], x[0])
    epoch(method)
    targets, known = method._targets(torch.tensor([0, 2, 3]))
    assert torch.allclose(targets[:2], p[0]), "after one epoch the target is what that epoch said"
    assert known.tolist() == [True, True, False]
    see(method, [0, 3], x[1])  # row 2 is not drawn
    epoch(method)
    see(method, [0, 2], x[2])
    epoch(method)
    targets, _ = method._targets(torch.tensor([0, 2, 3]))
    a, of_0 = 0.6, [p[0][0], p[1][0], p[2][0]]
    expected = ((1 - a) * (a * a * of_0[0] + a * of_0[1] + of_0[2])) / (1 - a**3)
    assert torch.allclose(targets[0], expected)
    expected = ((1 - a) * (a * p[0][1] + p[2][1])) / (1 - a**2)
    assert torch.allclose(targets[1], expected), "an epoch without a row must not decay it"
    assert torch.allclose(targets[2], p[1][1])
    assert torch.allclose(targets.sum(dim=1), torch.ones(3)), "targets are distributions, however young"
    assert method.visits_N.tolist() == [3, 0, 2, 1, 0]


def test_a_row_without_a_past_has_no_loss_and_counts_in_the_batch() -> None:
    method = ensemble()
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0]])
    assert see(method, [0, 2], x) == 0
    epoch(method)
    other = torch.tensor([[0.0, math.log(3)], [5.0, 0.0]])
    assert see(method, [0, 3], other) == pytest.approx(2 * 0.25**2 / (2 * 2))


def test_the_table_moves_between_epochs_only_and_once() -> None:
    method = ensemble()
    see(method, [0, 2], drawn(2, 2).float())
    assert method.ensemble_NC.abs().sum() == 0
    epoch(method)
    kept = method.ensemble_NC.clone()
    epoch(method)
    assert torch.equal(method.ensemble_NC, kept), "a refresh without steps since the last one changes nothing"


def test_of_a_row_that_comes_twice_the_last_pass_counts() -> None:
    method, x = ensemble(0), drawn(3, 2).float()
    see(method, [0, 2, 0], x)
    epoch(method)
    assert torch.allclose(method.ensemble_NC[0], x[2].softmax(0))


def test_the_target_gets_no_gradient_and_the_slope_is_right() -> None:
    method = ensemble().double()
    see(method, [0, 1, 2, 3], drawn(4, 2))
    epoch(method)
    x = drawn(4, 2, seed=3).requires_grad_()

    def loss(given: torch.Tensor) -> torch.Tensor:
        return method.loss(Logits(), batch_of(TASK, [0, 1, 2, 4], 2, given), NOW).total()

    assert torch.autograd.gradcheck(loss, (x,), eps=1e-6, atol=1e-7)
    assert torch.autograd.grad(loss(x), x)[0][3].abs().sum() == 0, "row 4 was never seen"


def test_before_training_nothing_is_known() -> None:
    method = ensemble()
    epoch(method)
    assert not method.visits_N.any()
    assert method.loss(Logits(), batch_of(TASK, [0, 2], 1, drawn(2, 2)), START).terms["ensemble"] == 0


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (PiModel, {"labeled_batch_size": 100}, "labeled_batch_size=100 must"),
        (PiModel, {"ramp_up_share": 80}, "ramp_up_share=80: must"),
        (TemporalEnsembling, {"ramp_up_share": -1}, "ramp_up_share=-1"),
        (TemporalEnsembling, {"momentum": 1.0}, "momentum=1.0"),
    ],
)
def test_bad_parameters_are_refused(kind: type, options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        kind(**options)
