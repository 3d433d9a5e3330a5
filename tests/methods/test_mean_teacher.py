"""Mean Teacher's terms by hand, its gradients by differences, and what it is without memory."""

from __future__ import annotations

import math

import pytest
import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Progress
from labelprop.methods.base import Sum
from labelprop.methods.mean_teacher import MeanTeacher, kullback_leibler, squared_error
from labelprop.methods.supervised import Supervised
from small_batches import START, Heads, batch_of, task_of

TASK = task_of([0, 1, -1, -1])


def made(**options) -> tuple[Heads, MeanTeacher]:
    net, method = Heads(3, 2), MeanTeacher(**options)
    method.setup(net, TASK)
    return net, method


def views(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 3, generator=generator), torch.randn(4, 3, generator=generator)


def test_the_terms_are_those_of_the_equation() -> None:
    net, method = made()
    x, other = views()
    found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, x, other), START)
    fresh = Heads(3, 2)
    target, student = fresh(other)["class"].softmax(1), Heads(3, 2)(x)
    expected = ((student["consistency"].softmax(1) - target) ** 2).sum() / (4 * 2)
    assert found.terms["consistency"].item() == pytest.approx(expected.item(), rel=1e-6)
    apart = ((student["class"] - student["consistency"]) ** 2).sum() / (4 * 2)
    assert found.terms["tie"].item() == pytest.approx(apart.item(), rel=1e-6)
    assert found.weights["tie"] == 0.01


def test_the_weight_ramps_up_over_epochs() -> None:
    method = MeanTeacher(weight=100, ramp_up=5)
    weights = [method._weight(Progress(step, 100, step // 10, 10)) for step in (0, 25, 50, 90)]
    assert weights == pytest.approx([100 * math.exp(-5), 100 * math.exp(-5 * 0.25), 100, 100])


@pytest.mark.parametrize("divergence", [squared_error, kullback_leibler])
def test_divergences_are_nothing_where_both_agree_and_have_the_right_slope(divergence) -> None:
    logits = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).softmax(1)
    assert divergence(target.log(), target).item() == pytest.approx(0, abs=1e-12)
    assert divergence(logits, target).item() > 0
    assert torch.autograd.gradcheck(lambda x: divergence(x, target), (logits,), eps=1e-6, atol=1e-7)


def test_kullback_leibler_by_hand() -> None:
    logits, target = torch.zeros(1, 2), torch.tensor([[0.25, 0.75]])
    by_hand = 0.25 * math.log(0.25 / 0.5) + 0.75 * math.log(0.75 / 0.5)
    assert kullback_leibler(logits, target).item() == pytest.approx(by_hand)
    assert kullback_leibler(logits.expand(4, 2), target.expand(4, 2)).item() == pytest.approx(by_hand), "a mean"


def test_divergence_tie_and_weight_are_those_of_the_settings() -> None:
    net, method = made(divergence="kl", tie=0.5, weight=7, ramp_up=0)
    x, other = views()
    found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, x, other), START)
    target = Heads(3, 2)(other)["class"].softmax(1)
    expected = kullback_leibler(Heads(3, 2)(x)["consistency"], target)
    assert found.terms["consistency"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert found.weights == {"consistency": 7, "tie": 0.5}


def test_the_tie_pulls_both_heads() -> None:
    net, method = made()
    found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, *views()), START)
    of_class, of_consistency = torch.autograd.grad(found.terms["tie"], (net.weight, net.other))
    assert of_class.abs().max() > 1e-3
    torch.testing.assert_close(of_class, -of_consistency)


@pytest.mark.parametrize(("statistics", "mean"), [("own", 0.5), ("copy", 4.0), ("ema", 2.0), (None, 0.5)])
def test_statistics_of_the_teacher(statistics: str | None, mean: float) -> None:
    """One step, at which it forgets half; its own are those of its pass, 0.1 of the way to a mean of 5."""
    net, method = made(**({} if statistics is None else {"statistics": statistics}))
    x = torch.tensor([[4.0] * 3, [6.0] * 3])
    batch = batch_of(TASK, [0, 2], 1, x, x)
    found = method.loss(net, batch, START)
    net.norm.running_mean.fill_(4.0)
    method.after_step(net, batch, found.own, START)
    assert method.teacher.net.norm.running_mean.tolist() == pytest.approx([mean] * 3)


def test_without_memory_the_teacher_is_the_student() -> None:
    net, method = made(decay=0)
    batch = batch_of(TASK, [0, 1, 2, 3], 2, *views())
    for _ in range(3):
        found = method.loss(net, batch, START)
        with torch.no_grad():
            net.weight.sub_(0.1)
            method.after_step(net, batch, found.own, START)
        assert torch.equal(method.teacher.net.weight, net.weight)
    assert not torch.equal(method.teacher.net.weight, Heads(3, 2).weight), "the student must have moved"


def test_the_teacher_gets_no_gradient_and_shares_no_weight() -> None:
    net, method = made()
    method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, *views()), START).total().backward()
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.net.parameters())
    assert not {p.data_ptr() for p in net.parameters()} & {p.data_ptr() for p in method.teacher.net.parameters()}


def test_the_papers_system_divides_cross_entropy_by_the_whole_batch() -> None:
    net = Heads(3, 2)
    method = Sum(MeanTeacher(), Supervised(batch_size=2))
    method.setup(net, TASK)
    x, other = views()
    found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, x, other), START)
    log_p = Heads(3, 2)(x)["class"].log_softmax(1)
    assert found.terms["supervised"].item() == pytest.approx(-(log_p[0, 0] + log_p[1, 1]).item() / 4, rel=1e-5)
    assert method.deployed(net) is method.methods[0].teacher.net


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"divergence": "l2"}, "unknown divergence 'l2'"),
        ({"statistics": "none"}, "unknown statistics 'none'"),
        ({"decay": 1.0}, "decay=1.0"),
        ({"labeled_batch_size": 100}, "labeled_batch_size=100"),
    ],
)
def test_bad_parameters_are_refused(options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        MeanTeacher(**options)
