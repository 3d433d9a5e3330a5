"""DLP's loss against the equation written out, its weights against hand-made tables, and its special cases."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress, Stream, Task
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.supervised import Supervised
from small_batches import Fixed

START = Progress(0, 10, 0, 10)


def identity(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"class": x, "feature": x}


def joint_batch(logits_BC: torch.Tensor, indices_B: torch.Tensor, labels_N: torch.Tensor, b_l: int) -> Batch:
    view = (logits_BC,)
    return Batch(
        labeled=Stream(indices_B[:b_l], (logits_BC[:b_l],)),
        labels_B=labels_N[indices_B[:b_l]],
        trust_B=torch.ones(b_l),
        unlabeled=Stream(indices_B[b_l:], (logits_BC[b_l:],)),
        joint=Stream(indices_B, view),
    )


def task(labels: list[int], n_classes: int = 2, weights: list[float] | None = None) -> Task:
    return Task(torch.tensor(labels), torch.tensor(weights or [1.0] * len(labels)), n_classes, 0)


def test_loss_is_the_weighted_mean_over_the_whole_batch() -> None:
    method = DiffusionLabels()
    method.setup(torch.nn.Identity(), task([0, 1, -1, -1]))
    method.label_N.copy_(torch.tensor([0, 1, 1, -1]))
    method.weight_N.copy_(torch.tensor([1.0, 1.0, 0.25, 0.0]))
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.5, 0.0], [9.0, -9.0]], dtype=torch.float64)
    found = method.loss(identity, joint_batch(logits, torch.arange(4), task([0, 1, -1, -1]).labels_N, 2), START)
    log_p = torch.log_softmax(logits, 1)
    expected = -(log_p[0, 0] + log_p[1, 1] + 0.25 * log_p[2, 1]) / 4  # the unreached row counts in the 4 only
    assert found.total().item() == pytest.approx(expected.item(), abs=1e-12)


def test_gradient_against_finite_differences() -> None:
    torch.manual_seed(0)
    method = DiffusionLabels()
    method.setup(torch.nn.Identity(), task([0, 1, -1, -1, -1]))
    method.label_N.copy_(torch.tensor([0, 1, 1, 0, -1]))
    method.weight_N.copy_(torch.tensor([1.0, 1.0, 0.3, 0.7, 0.0]))
    logits = torch.randn(5, 2, dtype=torch.float64, requires_grad=True)
    labels_N = task([0, 1, -1, -1, -1]).labels_N

    def loss(x: torch.Tensor) -> torch.Tensor:
        return method.loss(identity, joint_batch(x, torch.arange(5), labels_N, 2), START).total()

    assert torch.autograd.gradcheck(loss, (logits,), eps=1e-6, atol=1e-7)


def network_method(
    logits: torch.Tensor, labels: list[int], weights: list[float] | None = None, **options
) -> DiffusionLabels:
    method = DiffusionLabels(source="network", **options)
    method.setup(torch.nn.Identity(), task(labels, logits.shape[1], weights))
    method.refresh(torch.nn.Identity(), Fixed(**{"class": logits}), 0)
    return method


LOGITS = torch.tensor([[0.0, 0.0], [0.0, 0.0], [4.0, 0.0], [0.0, 1.0], [0.0, 2.0]])


def entropy_certainty(logits: torch.Tensor) -> list[float]:
    p = logits.softmax(1)
    return [1 + sum(x * math.log(x) for x in row) / math.log(p.shape[1]) for row in p.tolist()]


def test_network_prediction_weighs_by_certainty_and_class_size() -> None:
    method = network_method(LOGITS, [0, 1, -1, -1, -1])
    omega = entropy_certainty(LOGITS)
    top = max(omega)
    assert method.label_N.tolist() == [0, 1, 0, 1, 1]
    zeta = {0: (5 / 2) / 2, 1: (5 / 2) / 3}
    expected = [zeta[0], zeta[1], *(omega[i] / top * zeta[c] for i, c in ((2, 0), (3, 1), (4, 1)))]
    assert method.weight_N.tolist() == pytest.approx(expected, rel=1e-5)


def test_ablations_switch_one_weight_each() -> None:
    labels = [0, 1, -1, -1, -1]
    plain = network_method(LOGITS, labels, certainty=False, class_balance=False)
    assert plain.weight_N.tolist() == [1.0] * 5
    balanced = network_method(LOGITS, labels, certainty=False)
    assert balanced.weight_N.tolist() == pytest.approx([1.25, 2.5 / 3, 1.25, 2.5 / 3, 2.5 / 3])
    sure = network_method(LOGITS, labels, class_balance=False)
    assert sure.weight_N[:2].tolist() == [1.0, 1.0]
    assert sure.weight_N[3] < sure.weight_N[4] < sure.weight_N[2]


def test_class_weight_can_be_capped() -> None:
    capped = network_method(LOGITS, [0, 1, -1, -1, -1], certainty=False, max_class_weight=1.0)
    assert capped.weight_N.max() == 1.0


def test_weight_of_a_given_label_is_its_trust() -> None:
    method = network_method(LOGITS, [0, 1, -1, -1, -1], [0.5, 1, 1, 1, 1], certainty=False, class_balance=False)
    assert method.weight_N.tolist() == [0.5, 1, 1, 1, 1]


def test_diffusion_reaches_the_cluster_of_each_seed_and_says_what_it_cannot_reach() -> None:
    torch.manual_seed(0)
    directions = torch.eye(3)
    features = directions.repeat_interleave(5, 0) + 0.01 * torch.rand(15, 3)
    labels = [-1] * 15
    labels[0], labels[5] = 0, 1
    method = DiffusionLabels(propagation={"n_neighbors": 4})
    method.setup(torch.nn.Identity(), task(labels))
    method.refresh(torch.nn.Identity(), Fixed(feature=features), 0)
    assert method.label_N.tolist() == [0] * 5 + [1] * 5 + [-1] * 5
    assert (method.weight_N[10:] == 0).all(), "a row that no label reaches must not be trained on"
    assert (method.weight_N[:10] > 0).all()


def test_with_all_weights_one_and_given_labels_it_is_the_supervised_loss() -> None:
    torch.manual_seed(0)
    labels, logits = [0, 1, 1, 0], torch.randn(4, 2)
    supervised, method = Supervised(), DiffusionLabels()
    for one in (supervised, method):
        one.setup(torch.nn.Identity(), task(labels))
    batch = joint_batch(logits, torch.arange(4), torch.tensor(labels), 4)
    assert torch.equal(supervised.loss(identity, batch, START).total(), method.loss(identity, batch, START).total())
    assert supervised.loss(identity, batch, START).total().item() == pytest.approx(
        F.cross_entropy(logits, torch.tensor(labels)).item(), rel=1e-6
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": "diffusin"}, "unknown source 'diffusin'"),
        ({"labeled_batch_size": 100}, "labeled_batch_size=100 must"),
    ],
)
def test_bad_parameters_are_refused(options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        DiffusionLabels(**options)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"propagation": {"alpha": 1.0}}, r"alpha=1.0: must be a number >= 0 and < 1"),
        ({"propagation": {"n_neighbors": 0}}, r"n_neighbors=0: must be a whole number >= 1"),
        ({"propagation": {"power": -1, "max_iter": 0}}, r"power=-1: .* max_iter=0: must be"),
        ({"max_class_weight": -1.0}, r"max_class_weight=-1.0: must be None or a number > 0"),
        ({"max_class_weight": float("nan")}, r"max_class_weight=nan"),
        ({"label_view": "strong"}, r"unknown label_view 'strong'"),
    ],
)
def test_settings_that_label_nothing_or_climb_are_refused(settings: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        DiffusionLabels(**settings)


def test_labels_that_reach_nothing_are_warned_of() -> None:
    features = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    method = DiffusionLabels(propagation={"n_neighbors": 1})
    method.setup(torch.nn.Identity(), task([0, 1, -1, -1]))
    with pytest.warns(UserWarning, match="nothing connects an unlabeled example to a labeled one"):
        method.refresh(torch.nn.Identity(), Fixed(feature=features), 0)
    assert method.label_N.tolist() == [0, 1, -1, -1]
    assert method.weight_N[2:].tolist() == [0, 0]


def test_a_solve_cut_far_from_its_solution_is_warned_of() -> None:
    angle_N = torch.linspace(0, 3, 30)  # a chain: a step reaches one link further
    method = DiffusionLabels(propagation={"n_neighbors": 2, "max_iter": 2})
    method.setup(torch.nn.Identity(), task([*[-1] * 10, 0, *[-1] * 8, 1, *[-1] * 10]))
    with pytest.warns(UserWarning, match="stopped far from its solution"):
        method.refresh(torch.nn.Identity(), Fixed(feature=torch.stack([angle_N.cos(), angle_N.sin()], dim=1)), 0)


def test_labels_may_be_found_on_augmented_views() -> None:
    """The released code shares the training transform."""

    class OfViews(Fixed):
        def outputs(self, view: str = "eval"):
            self.seen = view
            return super().outputs(view)

    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9]])
    for view in ("eval", "weak"):
        tools = OfViews(feature=features)
        method = DiffusionLabels(label_view=view, propagation={"n_neighbors": 2})
        method.setup(torch.nn.Identity(), task([0, 1, -1, -1]))
        method.refresh(torch.nn.Identity(), tools, 0)
        assert tools.seen == view
        assert method.label_N.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("share", "n_neighbors", "same_as"), [(0.5, 50, 15), (0.2, 50, 10), (0.5, 12, 12), (None, 50, 50), (4.0, 50, 50)]
)
def test_a_row_has_no_more_neighbors_than_its_class_can_give(share, n_neighbors, same_as) -> None:
    torch.manual_seed(0)
    features = torch.eye(8)[:3].repeat_interleave(30, 0) + 0.3 * torch.randn(90, 8)
    labels = [-1] * 90
    labels[0], labels[30], labels[60] = 0, 1, 2

    def certainties(**options) -> torch.Tensor:
        method = DiffusionLabels(**options)
        method.setup(torch.nn.Identity(), task(labels, n_classes=3))
        method.refresh(torch.nn.Identity(), Fixed(feature=features), 0)
        return method.certainty_N

    asked = certainties(class_share=share, propagation={"n_neighbors": n_neighbors})
    assert torch.equal(asked, certainties(class_share=None, propagation={"n_neighbors": same_as}))
    assert not torch.equal(asked, certainties(class_share=None, propagation={"n_neighbors": same_as + 3}))
