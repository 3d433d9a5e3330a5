"""Banks and teachers: moved as the equations say, and handed from phase to phase."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from labelprop.methods.aggregation import Aggregation
from labelprop.methods.base import Sum
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.state import Ema, MemoryBank, take_over
from labelprop.methods.supervised import Supervised
from small_batches import Heads, task_of


def bank(n: int = 5, dim: int = 2, momentum: float = 0.5) -> MemoryBank:
    return MemoryBank(n, dim, momentum=momentum, seed=0, like=torch.zeros(1))


def test_a_bank_starts_from_unit_vectors_that_only_the_seed_decides() -> None:
    assert torch.allclose(bank().vectors_ND.norm(dim=1), torch.ones(5))
    assert torch.equal(bank().vectors_ND, bank().vectors_ND)


def test_a_row_moves_half_way_and_keeps_its_length() -> None:
    kept = bank()
    kept.vectors_ND[2] = torch.tensor([1.0, 0.0])
    others = kept.vectors_ND[[0, 1, 3, 4]].clone()
    kept.write(torch.tensor([2]), torch.tensor([[0.0, 1.0]]))
    assert torch.allclose(kept.vectors_ND[2], torch.full((2,), 0.5**0.5))
    assert torch.equal(kept.vectors_ND[[0, 1, 3, 4]], others)


def test_of_a_row_that_comes_twice_the_last_counts() -> None:
    kept = bank(momentum=0)
    kept.write(torch.tensor([3, 1, 3]), torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    assert kept.vectors_ND[3].tolist() == [-1.0, 0.0]
    assert kept.vectors_ND[1].tolist() == [0.0, 1.0]


def test_a_teacher_is_first_the_average_of_all_students_and_then_forgets() -> None:
    net = Heads(2, 2)
    teacher, expected = Ema(net, decay=0.7), net.weight.detach().clone()
    for step in range(1, 6):
        with torch.no_grad():
            net.weight.add_(1)
        teacher.follow(net, dict(teacher.training_outputs(torch.randn(4, 2))[1]))
        kept = min(1 - 1 / (step + 1), 0.7)
        expected = kept * expected + (1 - kept) * net.weight.detach()
    assert torch.allclose(teacher.net.weight, expected)


def test_looking_changes_nothing_and_following_keeps_what_was_seen() -> None:
    teacher, x = Ema(Heads(2, 2), decay=0.9), torch.randn(6, 2, generator=torch.Generator().manual_seed(1))
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    _, buffers = teacher.training_outputs(x)
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())
    teacher.follow(Heads(2, 2), buffers)
    assert torch.allclose(teacher.net.norm.running_mean, 0.1 * x.mean(dim=0), atol=1e-6)


@pytest.mark.parametrize(("rule", "share"), [("own", 0.0), ("copy", 1.0), ("ema", 0.5)])
def test_statistics_follow_the_rule(rule: str, share: float) -> None:
    student, teacher = Heads(2, 2), Ema(Heads(2, 2), decay=0.9, statistics=rule)
    student.norm.running_mean.fill_(4)
    teacher.follow(student, {name: value.clone() for name, value in teacher.net.named_buffers()})
    assert teacher.net.norm.running_mean.tolist() == pytest.approx([4 * share] * 2)


def ready(method, labels: list[int] | None = None):
    method.setup(Heads(2, 2), task_of(labels or [0, 1, -1, -1]))
    return method


def test_the_bank_passes_from_method_to_method() -> None:
    first = ready(Instance(dim=2))
    first.bank.vectors_ND.copy_(F.normalize(torch.arange(8.0).view(4, 2) + 1, dim=1))
    for following in (ready(LocalLabels(dim=2)), ready(Aggregation(dim=2))):
        assert not following.bank.inherited
        take_over(following, first)
        assert following.bank.inherited
        assert torch.equal(following.bank.vectors_ND, first.bank.vectors_ND)


def test_the_same_method_passes_on_its_tables() -> None:
    first, second = ready(LocalLabels(dim=2)), ready(LocalLabels(dim=2))
    first.label_N.copy_(torch.tensor([0, 1, 1, 0]))
    take_over(second, first)
    assert second.label_N.tolist() == [0, 1, 1, 0]


def test_a_teacher_passes_through_sums() -> None:
    first, second = (ready(Sum(MeanTeacher(), Supervised(batch_size=2))) for _ in range(2))
    first.methods[0].teacher.steps.fill_(7)
    take_over(second, first)
    assert int(second.methods[0].teacher.steps) == 7
