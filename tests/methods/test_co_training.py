"""Deep Co-Training: its losses by hand, gradients by differences, two networks that differ and are both deployed."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.types import Progress
from labelprop.functional.loss import cross_entropy_between, fast_gradient_sign, jensen_shannon
from labelprop.functional.schedule import ramp_up
from labelprop.methods.base import frozen_statistics
from labelprop.methods.co_training import CoTraining
from labelprop.methods.state import Peer
from labelprop.models.deployed import MeanOfTwo
from labelprop.models.network import ModelSpec, build
from labelprop.models.trunks.modes import evaluating
from labelprop.testing import check_method
from small_batches import START, Heads, batch_of, task_of

TASK = task_of([0, 1, 1, -1, -1, -1], weights=[1.0, 0.5, 1.0, 1.0, 1.0, 1.0])
ROWS = [0, 1, 2, 3, 4, 5]


def made(**options) -> tuple[Heads, CoTraining]:
    net, method = Heads(3, 2).double(), CoTraining(**options)
    method.setup(net, TASK)
    return net, method


def inputs(seed: int = 0) -> torch.Tensor:
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(logits: list[float]) -> list[float]:
    total = sum(math.exp(value) for value in logits)
    return [math.exp(value) / total for value in logits]


def entropy(p: list[float]) -> float:
    return -sum(x * math.log(x) for x in p)


def test_divergence_and_crossed_entropy_by_hand() -> None:
    a, b = [0.3, -1.0, 2.0], [1.0, 0.0, -0.5]
    p, q = softmax(a), softmax(b)
    first, second = (torch.tensor([row], dtype=torch.float64) for row in (a, b))
    mixed = entropy([(x + y) / 2 for x, y in zip(p, q, strict=True)]) - (entropy(p) + entropy(q)) / 2
    assert jensen_shannon(first, second).item() == pytest.approx(mixed, abs=1e-12)
    crossed = -sum(x * math.log(y) for x, y in zip(p, q, strict=True))
    assert cross_entropy_between(first, second).item() == pytest.approx(crossed, abs=1e-12)
    assert jensen_shannon(first, first).item() == pytest.approx(0, abs=1e-12)
    sure = torch.tensor([[1e3, -1e3]], dtype=torch.float64)
    assert jensen_shannon(sure, -sure).item() == pytest.approx(math.log(2))


def test_two_that_are_sure_of_the_same_diverge_by_nothing_and_have_a_slope() -> None:
    first, second = (torch.tensor([[1e3, -1e3]], dtype=torch.float64, requires_grad=True) for _ in range(2))
    found = jensen_shannon(first, second)
    found.sum().backward()
    assert found.item() == 0
    assert first.grad.tolist() == second.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize("loss", [jensen_shannon, cross_entropy_between])
def test_slopes_against_finite_differences(loss) -> None:
    drawn = [torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(s)) for s in (0, 1)]
    assert torch.autograd.gradcheck(loss, [logits.requires_grad_() for logits in drawn], eps=1e-6, atol=1e-7)


def test_a_misleading_step_is_the_sign_of_the_slope() -> None:
    """Logits (0, w x): the slope of CE with label 1 has the sign of -w, with label 0 that of w."""
    w = torch.tensor([1.0, -2.0], dtype=torch.float64)

    def look(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.zeros(len(x), dtype=x.dtype), x @ w], dim=1)

    x = torch.tensor([[0.5, 0.0], [0.5, 0.0], [0.5, 0.0], [-0.5, 0.0]], dtype=torch.float64)
    moved = fast_gradient_sign(look, x, torch.tensor([1, 0, -1, -1]), 0.1) - x
    signs = torch.tensor([[-1, 1], [1, -1], [-1, 1], [1, -1]])
    torch.testing.assert_close(moved, 0.1 * signs.double())
    assert torch.equal(fast_gradient_sign(look, x, torch.tensor([1, 0, -1, -1]), 0.0), x)
    far = torch.full((4, 2), 100.0, dtype=torch.float64)
    moved = fast_gradient_sign(look, far, torch.tensor([1, 0, 1, 0]), 0.1) - far
    torch.testing.assert_close(moved, 0.1 * signs.double(), msg="it is not clipped to a range of inputs")


def test_no_rise_is_full_weight_from_the_first_step() -> None:
    net, method = made(ramp_share=0)
    weights = method.loss(net, batch_of(TASK, ROWS, 3, inputs()), START).weights
    assert weights == {"supervised": 1, "agreement": 10, "difference": 0.5}


def test_neither_network_has_dropout() -> None:
    net = build(ModelSpec("mlp", (3,), {"class": 2}, {"dropout": 0.5}, False), seed=0)
    method = CoTraining()
    method.setup(net, TASK)
    x = inputs().float()
    for one in (net, method.peer.net):
        one.train()
        torch.testing.assert_close(
            frozen_statistics(one)(x)["class"], frozen_statistics(one)(x)["class"], rtol=0, atol=0
        )


@pytest.mark.parametrize("n_labeled", [0, 1])
def test_a_part_of_a_step_without_a_label_for_each_network_is_refused(n_labeled: int) -> None:
    net, method = made()
    with pytest.raises(RequestError, match=rf"has {n_labeled} labeled .*needs 2.*labeled_batch_size=.*--devices"):
        method.loss(net, batch_of(TASK, ROWS, n_labeled, inputs()), START)


def test_the_terms_are_those_of_the_equation() -> None:
    net, method = made(epsilon=0.3)
    other, x = method.peer.net, inputs()
    found = method.loss(net, batch_of(TASK, ROWS, 3, x), START)
    first, second = frozen_statistics(net)(x)["class"], frozen_statistics(other.train())(x)["class"]
    log_p, log_q = first.log_softmax(1), second.log_softmax(1)
    by_label = -log_p[0, 0] - (0.5 * log_q[1, 1] + log_q[2, 1]) / 2  # one label for the first, two for the second
    assert found.terms["supervised"].item() == pytest.approx(by_label.item(), abs=1e-12)
    assert found.terms["agreement"].item() == pytest.approx(
        jensen_shannon(first, second)[3:].mean().item(), abs=1e-12
    )
    labels, misled = torch.tensor([0, 1, 1, -1, -1, -1]), []
    for one in (net, other):
        with evaluating(one):
            misled.append(fast_gradient_sign(lambda x, one=one: one(x)["class"], x, labels, 0.3))
    crossed = -(log_q.exp() * frozen_statistics(net)(misled[1])["class"].log_softmax(1)).sum(1)
    crossed -= (log_p.exp() * frozen_statistics(other)(misled[0])["class"].log_softmax(1)).sum(1)
    assert found.terms["difference"].item() == pytest.approx(crossed.mean().item(), abs=1e-12)


@pytest.mark.parametrize("part", ["first", "peer"])
def test_gradients_of_both_networks_against_finite_differences(part: str) -> None:
    """The misleading step is a sign: where it does not change, it has no slope of its own."""
    net, method = made(epsilon=0.3)
    batch, done = batch_of(TASK, ROWS, 3, inputs()), Progress(9, 10, 0, 10)
    weight = net.weight if part == "first" else method.peer.net.weight

    def total() -> torch.Tensor:
        return method.loss(net, batch, done).total()

    total().backward()
    for place in ((0, 0), (1, 2)):
        with torch.no_grad():
            values = []
            for step in (1e-6, -1e-6):
                weight[place] += step
                values.append(total().item())
                weight[place] -= step
        assert weight.grad[place].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-7)


def test_statistics_come_from_the_examples_as_they_are_and_are_kept_after_the_step() -> None:
    net, method = made()
    x, before = inputs(), method.peer.net.norm.running_mean.clone()
    batch = batch_of(TASK, ROWS, 3, x)
    found = method.loss(net, batch, START)
    assert net.training
    assert torch.equal(method.peer.net.norm.running_mean, before)
    method.after_step(net, batch, found.own, START)
    torch.testing.assert_close(method.peer.net.norm.running_mean, 0.1 * x.mean(0))
    torch.testing.assert_close(net.norm.running_mean, 0.1 * x.mean(0))


class MovesStatistics(CoTraining):
    """Looks through the second network as through the first: its running statistics move while the loss is read."""

    def loss(self, net, batch, progress):
        self.peer.net.train()(batch.joint.views_V[0])
        return super().loss(net, batch, progress)


class SharesTheNetwork(CoTraining):
    def setup(self, net, task):
        super().setup(net, task)
        self.peer.net = net


@pytest.mark.parametrize(
    ("mutant", "said"), [(MovesStatistics, "wrote to the method's state"), (SharesTheNetwork, "wrote|shares memory")]
)
def test_mutants_are_caught(mutant: type[CoTraining], said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_method(mutant)


def test_both_terms_rise_with_the_ramp() -> None:
    net, method = made(ramp_share=0.5)
    batch = batch_of(TASK, ROWS, 3, inputs())
    weights = [method.loss(net, batch, Progress(step, 100, 0, 10)).weights for step in (0, 25, 50, 99)]
    ramps = [math.exp(-5), math.exp(-5 / 4), 1, 1]
    assert [found["agreement"] for found in weights] == pytest.approx([10 * ramp for ramp in ramps])
    assert [found["difference"] for found in weights] == pytest.approx([0.5 * ramp for ramp in ramps])
    assert ramp_up(0.5) == pytest.approx(ramps[1])


def test_the_second_network_starts_elsewhere_from_the_same_distribution() -> None:
    net = build(ModelSpec("mlp", (6,), {"class": 3}), seed=0)
    peers = [Peer(net, seed=seed).net for seed in (0, 0, 1)]
    for first, again, other, own in zip(*(peer.parameters() for peer in peers), net.parameters(), strict=True):
        assert torch.equal(first, again)
        assert torch.equal(first.flatten().sort().values, own.flatten().sort().values)
        constant = bool((own == own.flatten()[0]).all())
        assert constant or not (torch.equal(first, own) or torch.equal(first, other))
        assert first.requires_grad


def test_the_second_network_keeps_a_trunk_that_was_trained_before() -> None:
    net = build(ModelSpec("mlp", (6,), {"class": 3}), seed=0)
    net.trunk.learned = True
    peer = Peer(net, seed=0).net
    for name, own in net.named_parameters():
        kept = torch.equal(peer.get_parameter(name), own)
        assert kept or not name.startswith("trunk."), name
    assert not torch.equal(peer.heads["class"].weight, net.heads["class"].weight)


def test_a_batch_of_labels_alone_is_finite() -> None:
    net, method = made()
    found = method.loss(net, batch_of(TASK, [0, 1], 2, inputs()[:2]), START)
    found.total().backward()
    assert all(torch.isfinite(term) for term in found.terms.values())


def blobs() -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(90) % 3
    vectors = (3 * np.eye(6)[classes] + np.random.default_rng(0).normal(size=(90, 6))).astype(np.float32)
    return vectors, np.where(np.arange(90) < 12, classes, -1)


def test_both_networks_learn_and_are_deployed(tmp_path) -> None:
    data = blobs()
    settings = {"batch_size": 20, "labeled_batch_size": 8}
    run = labelprop.train(
        *data, out=tmp_path / "run", report=False, recipe="dct", epochs=20, baselines=False, settings=settings
    )
    described = json.loads((run.path / "model.json").read_text())
    assert described["mean_of_two"] == {}
    pair = run.model.network
    assert isinstance(pair, MeanOfTwo)
    x = run.model.preprocessing.apply(torch.from_numpy(data[0]))
    with torch.no_grad():
        each = [one(x)["class"].softmax(1) for one in (pair.net, pair.other)]
        assert not torch.allclose(*each)
        torch.testing.assert_close(pair(x)["class"].exp(), sum(each) / 2)
    truth = np.arange(90) % 3
    assert all((one.argmax(1).numpy() == truth)[12:].mean() > 0.75 for one in each), "each learns by itself"
    certainty = run.labels.column("certainty").to_numpy()
    expected = (sum(each) / 2).amax(1).numpy()
    assert certainty[12:] == pytest.approx(expected[12:], abs=1e-5)
    readout = labelprop.train(
        *data,
        out=tmp_path / "readout",
        report=False,
        recipe="linear-readout",
        init=run.path,
        epochs=1,
        baselines=False,
    )
    assert readout.labels.num_rows == 90


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labeled_batch_size": 1}, "labeled_batch_size=1 must"),
        ({"labeled_batch_size": 108}, "labeled_batch_size=108"),
        ({"epsilon": -1}, "epsilon=-1: must"),
        ({"ramp_share": 80}, "ramp_share=80: must"),
    ],
)
def test_bad_parameters_are_refused(options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        CoTraining(**options)
