"""FixMatch, FreeMatch, UDA and its annealed labels by hand, their slopes, and the average that is deployed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress, Stream
from labelprop.methods.annealed_labels import AnnealedLabels
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Method, Sum
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.freematch import FreeMatch
from labelprop.methods.supervised import Supervised
from labelprop.methods.uda import Uda
from small_batches import START, Heads, task_of

TASK = task_of([0, 1, -1, -1, -1, -1], n_classes=3)


class Logits(nn.Module):
    """The input as logits."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"class": x}


def drawn(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def shares(*rows: list[float]) -> torch.Tensor:
    """Logits whose softmax these are."""
    return torch.tensor(rows, dtype=torch.float64).log()


def batch_of(weak: torch.Tensor, strong: torch.Tensor) -> Batch:
    """Rows 0 and 1 are labeled; the strong view is of the others."""
    rows_B = torch.arange(len(weak))
    return Batch(
        labeled=Stream(rows_B[:2], (weak[:2],)),
        labels_B=TASK.labels_N[:2],
        trust_B=TASK.weights_N[:2],
        unlabeled=Stream(rows_B[2:], (weak[2:], strong)) if len(weak) > 2 else None,
        joint=Stream(rows_B, (weak,)),
    )


def ready(method: Method) -> Method:
    method.setup(Logits(), TASK)
    return method.double()


LABELED = shares([0.6, 0.3, 0.1], [0.2, 0.7, 0.1])
WEAK = torch.cat([LABELED, shares([0.9, 0.05, 0.05], [0.4, 0.5, 0.1], [0.1, 0.2, 0.7], [0.98, 0.01, 0.01])])
STRONG = shares([0.5, 0.25, 0.25], [0.3, 0.4, 0.3], [0.2, 0.6, 0.2], [0.8, 0.1, 0.1])
BATCH = batch_of(WEAK, STRONG)


def test_fixmatch_learns_sure_labels_and_divides_by_all() -> None:
    found = FixMatch(threshold=0.7 - 1e-9).loss(Logits(), BATCH, START)
    expected = -(math.log(0.5) + math.log(0.2) + math.log(0.8)) / 4
    assert found.terms["strong"].item() == pytest.approx(expected)


def test_uda_learns_sharpened_shares_masked_by_those_that_were_not_sharpened() -> None:
    """[.4 .5 .1] at T = 1/2 is [16 25 1] / 42: above 0.55 only once sharpened, so it must not count."""
    assert 25 / 42 > 0.55
    found = Uda(threshold=0.55, sharpening=0.5).loss(Logits(), BATCH, START)
    expected = 0.0
    for weak, strong in ((WEAK[2], STRONG[0]), (WEAK[4], STRONG[2]), (WEAK[5], STRONG[3])):
        p, q = weak.exp(), strong.exp()
        target = p**2 / (p**2).sum()
        expected += float((target * (target / q).log()).sum())
    assert found.terms["strong"].item() == pytest.approx(expected / 4)


def test_uda_weighs_its_term() -> None:
    assert Uda(weight=20.0).loss(Logits(), BATCH, START).weights == {"strong": 20}


EVEN = torch.cat([LABELED, torch.tensor([[0.0, 0.0, -1e9]] * 4, dtype=torch.float64)])  # exactly [1/2, 1/2, 0]


def test_a_share_at_the_threshold_counts_in_fixmatch_and_freematch_and_not_in_uda() -> None:
    """Fixmatch: >= in the paper and its code; UDA: > in its own."""
    batch = batch_of(EVEN, STRONG)
    assert FixMatch(threshold=0.5).loss(Logits(), batch, START).terms["strong"] > 0
    assert freematch(0.5, [1 / 3] * 3, [1 / 3] * 3).loss(Logits(), batch, START).terms["strong"] > 0
    assert Uda(threshold=0.5).loss(Logits(), batch, START).terms["strong"] == 0


def test_uda_on_equal_views_without_sharpening_has_nothing_to_learn() -> None:
    found = Uda(threshold=0, sharpening=1).loss(Logits(), batch_of(WEAK, WEAK[2:].clone()), START)
    assert found.terms["strong"].item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("kind", [FixMatch, Uda])
def test_a_threshold_above_one_leaves_the_labels_alone(kind: Callable[..., Method]) -> None:
    weak, strong = WEAK.clone().requires_grad_(), STRONG.clone().requires_grad_()
    method = ready(Sum(kind(threshold=1.1), Supervised(batch_size=2, over="labeled")))
    method.loss(Logits(), batch_of(weak, strong), START).total().backward()
    alone = WEAK.clone().requires_grad_()
    ready(Supervised(batch_size=2)).loss(Logits(), batch_of(alone[:2], strong), START).total().backward()
    assert torch.allclose(weak.grad, alone.grad)
    assert strong.grad.abs().sum() == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixMatch(threshold=0.3),
        lambda: Uda(threshold=0.3),
        lambda: FreeMatch(fairness=0.5),
    ],
)
def test_the_strong_view_learns_as_differences_say_and_the_weak_one_does_not(make: Callable[[], Method]) -> None:
    method, weak, strong = ready(make()), drawn(6, 3).requires_grad_(), drawn(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: method.loss(Logits(), batch_of(weak, x), START).total(), (strong,), eps=1e-6, atol=1e-7
    )
    method.loss(Logits(), batch_of(weak, strong), START).total().backward()
    assert strong.grad.abs().sum() > 0
    assert weak.grad is None or weak.grad.abs().sum() == 0


@pytest.mark.parametrize("make", [FixMatch, Uda, FreeMatch])
def test_without_unlabeled_examples_there_is_no_loss(make: Callable[[], Method]) -> None:
    weak = WEAK[:2].clone().requires_grad_()
    found = ready(make()).loss(Logits(), batch_of(weak, STRONG), START)
    found.total().backward()
    assert found.total().item() == 0
    assert torch.isfinite(weak.grad).all()


def freematch(confidence: float, class_shares: list[float], histogram: list[float], **options) -> FreeMatch:
    method = ready(FreeMatch(**options))
    method.confidence.fill_(confidence)
    method.shares_C.copy_(torch.tensor(class_shares))
    method.histogram_C.copy_(torch.tensor(histogram))
    return method


def test_freematch_starts_by_letting_everything_in_and_then_follows_the_weak_views() -> None:
    method = ready(FreeMatch(momentum=0.75))
    assert torch.allclose(method._thresholds(), torch.full((3,), 1 / 3).double())
    found = method.loss(Logits(), BATCH, START)
    method.after_step(Logits(), BATCH, found.outputs, START)
    p = WEAK[2:].exp()
    assert method.confidence.item() == pytest.approx(0.75 / 3 + 0.25 * (0.9 + 0.5 + 0.7 + 0.98) / 4)
    assert torch.allclose(method.shares_C, 0.75 / 3 + 0.25 * p.mean(dim=0))
    assert torch.allclose(method.histogram_C, 0.75 / 3 + 0.25 * torch.tensor([2, 1, 1]).double() / 4)


@pytest.mark.parametrize(("steps", "remembered"), [(2**20, 1000), (10_000, 1000), (100, 10), (10, 1), (1, 1)])
def test_freematch_remembers_a_tenth_of_the_steps_and_at_most_as_many_as_in_the_paper(
    steps: int, remembered: int
) -> None:
    progress = replace(START, total_steps=steps)
    found, paper = ready(FreeMatch()), ready(FreeMatch(momentum=1 - 1 / remembered))
    for method in (found, paper):
        method.after_step(Logits(), BATCH, method.loss(Logits(), BATCH, progress).outputs, progress)
    assert found.confidence.item() == pytest.approx(paper.confidence.item(), abs=1e-12)
    assert found.confidence.item() == pytest.approx(1 / 3 + (0.77 - 1 / 3) / remembered)


def test_freematch_has_a_threshold_for_each_class() -> None:
    """0.8 for class 0, 0.4 for class 1, 0.8 * 0.25 / 0.5 = 0.4 for class 2: the second row passes by its class."""
    method = freematch(0.8, [0.5, 0.25, 0.25], [0.4, 0.3, 0.3])
    weak = WEAK.clone()
    weak[2] = shares([0.7, 0.2, 0.1])[0]
    found = method.loss(Logits(), batch_of(weak, STRONG), START)
    expected = -(math.log(0.4) + math.log(0.2) + math.log(0.8)) / 4
    assert found.terms["strong"].item() == pytest.approx(expected)


def test_freematch_fairness_by_hand() -> None:
    """Strong views pass as classes 0, 1, 1, 0: hbar = (2 2 0) / 4, and class 2 is left out."""
    method = freematch(0.0, [0.5, 0.3, 0.2], [0.4, 0.4, 0.2])
    found = method.loss(Logits(), BATCH, START)
    wanted = torch.tensor([0.5 / 0.4, 0.3 / 0.4, 0.2 / 0.2])
    wanted = wanted / wanted.sum()
    pbar = STRONG.exp().mean(dim=0)
    ratio = torch.stack([pbar[0] / 0.5, pbar[1] / 0.5])
    ratio = ratio / ratio.sum()
    expected = wanted[0] * ratio[0].log() + wanted[1] * ratio[1].log()
    assert found.terms["fairness"].item() == pytest.approx(expected.item())
    assert found.weights["fairness"] == 0.01
    assert set(freematch(0, [1, 1, 1], [1, 1, 1], fairness=0.0).loss(Logits(), BATCH, START).terms) == {"strong"}


def test_freematch_where_nothing_passes_learns_nothing_and_stays_finite() -> None:
    strong = STRONG.clone().requires_grad_()
    found = freematch(2.0, [1 / 3] * 3, [1, 0, 0]).loss(Logits(), batch_of(WEAK, strong), START)
    found.total().backward()
    assert found.total().item() == 0
    assert strong.grad.abs().sum() == 0


def annealed(annealing: str, done: float) -> tuple[float, torch.Tensor]:
    x = shares([0.9, 0.05, 0.05], [0.3, 0.5, 0.2]).requires_grad_()
    method = ready(AnnealedLabels(batch_size=2, annealing=annealing))
    found = method.loss(Logits(), batch_of(x, STRONG), Progress(round(1000 * done), 1000, 0, 10))
    found.total().backward()
    return found.terms["supervised"].item(), x.grad


@pytest.mark.parametrize(
    ("annealing", "done", "kept"),
    [
        ("linear", 0.0, ()),  # eta = 1/3
        ("linear", 0.2, ()),  # 0.467
        ("linear", 0.3, (0.5,)),  # 0.533
        ("linear", 0.9, (0.9, 0.5)),  # 0.933
        ("exp", 0.7, ()),  # 0.482
        ("exp", 0.75, (0.5,)),  # 0.524
        ("log", 0.1, (0.5,)),  # 0.596
        ("log", 0.5, (0.9, 0.5)),  # 0.945
    ],
)
def test_labels_are_let_in_while_they_are_not_known_yet(annealing, done: float, kept: tuple[float, ...]) -> None:
    term, gradient = annealed(annealing, done)
    assert term == pytest.approx(-sum(math.log(p) for p in kept) / max(len(kept), 1))
    assert (gradient.abs().sum(dim=1) > 0).tolist() == [0.9 in kept, 0.5 in kept]


def test_what_counts_is_the_share_of_the_label_and_not_the_largest() -> None:
    """At eta = 1/2 a sure mistake is learned from, and what is known is not."""
    x = shares([0.05, 0.9, 0.05], [0.05, 0.9, 0.05])
    found = ready(AnnealedLabels(batch_size=2)).loss(Logits(), batch_of(x, STRONG), Progress(250, 1000, 0, 10))
    assert found.terms["supervised"].item() == pytest.approx(-math.log(0.05))


def test_a_label_known_as_well_as_chance_is_let_in_from_the_beginning() -> None:
    x = torch.zeros(2, 2, dtype=torch.float64)  # exactly 1/2, and eta is 1/C = 1/2
    found = ready(AnnealedLabels(batch_size=2)).loss(Logits(), batch_of(x, STRONG), Progress(0, 1000, 0, 10))
    assert found.terms["supervised"].item() == pytest.approx(math.log(2))


def test_trust_in_a_label_weighs_it_and_is_not_divided_out() -> None:
    method = AnnealedLabels(batch_size=2, annealing="log")
    batch = replace(batch_of(WEAK[:2], STRONG), trust_B=torch.tensor([1.0, 0.25]))
    found = method.loss(Logits(), batch, Progress(900, 1000, 0, 10))
    assert found.terms["supervised"].item() == pytest.approx(-(math.log(0.6) + 0.25 * math.log(0.7)) / 2)


def test_the_average_follows_its_rule_and_is_what_is_deployed() -> None:
    net = Heads(2, 2)
    method = Sum(Averaged(decay=0.3), FixMatch())
    method.setup(net, TASK)
    expected, average = net.weight.detach().clone(), method.methods[0].average
    for step in range(1, 6):
        with torch.no_grad():
            net.weight.add_(step)
            net.norm.running_mean.fill_(step)
            method.after_step(net, BATCH, {}, START)
        kept = min(step / (step + 9), 0.3)
        expected = kept * expected + (1 - kept) * net.weight.detach()
        assert average.net.norm.running_mean.tolist() == [step, step], "statistics are the network's"
    assert torch.allclose(average.net.weight, expected)
    assert not torch.allclose(average.net.weight, net.weight, atol=0.1)
    assert method.deployed(net) is average.net
    assert not any(parameter.requires_grad for parameter in method.parameters())


def test_statistics_can_be_averaged_like_weights() -> None:
    net, method = Heads(2, 2), Averaged(decay=0.9999, statistics="ema")
    method.setup(net, TASK)
    net.norm.running_mean.fill_(1)
    with torch.no_grad():
        method.after_step(net, BATCH, {}, START)
    assert method.average.net.norm.running_mean.tolist() == pytest.approx([0.9, 0.9])


def test_the_weak_pass_is_shared_in_a_sum() -> None:
    seen = []

    def net(x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen.append(len(x))
        return {"class": x}

    ready(Sum(FixMatch(), Uda(), Supervised(batch_size=2))).loss(net, BATCH, START)
    assert seen == [6, 4], "one pass of all weak views and one of the strong ones, whoever asks"


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (FixMatch, {"threshold": -0.1}, "threshold=-0.1"),
        (Uda, {"threshold": -0.1}, "threshold=-0.1"),
        (Uda, {"sharpening": 0}, "sharpening=0"),
        (FreeMatch, {"momentum": 1.0}, "momentum=1.0"),
        (FreeMatch, {"labeled_batch_size": 0}, "labeled_batch_size=0"),
        (AnnealedLabels, {"annealing": "cubic"}, "unknown annealing 'cubic'"),
        (AnnealedLabels, {"batch_size": 0}, "batch_size=0"),
        (Averaged, {"decay": 1.0}, "decay=1.0"),
        (Averaged, {"statistics": "own"}, "unknown statistics 'own'"),
    ],
)
def test_bad_parameters_are_refused(kind: type, options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        kind(**options)
