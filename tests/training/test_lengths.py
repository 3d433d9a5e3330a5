from __future__ import annotations

from itertools import count
from types import SimpleNamespace

import pytest
import torch

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.types import BatchSpec, StreamSpec, Task
from labelprop.data.views.batches import draw_epoch, endless, steps_per_epoch
from labelprop.training import lengths, recipes
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import Lengths
from labelprop.training.lengths import PhaseCost, default_epochs, epoch_length, lengths_of, main_steps_within


def task(n_labeled: int, n_unlabeled: int) -> Task:
    labels = torch.tensor([i % 2 for i in range(n_labeled)] + [-1] * n_unlabeled)
    return Task(labels, torch.ones(len(labels)), 2, seed=3)


def test_an_epoch_is_one_pass_over_the_unlabeled() -> None:
    assert steps_per_epoch(task(100, 1697), 50, 50) == 33
    assert steps_per_epoch(task(100, 10), 50, 50) == 1
    assert steps_per_epoch(task(100, 0), 50, 50) == 2


def test_phases_share_the_main_phases_steps_and_have_at_least_100() -> None:
    recipe = recipes.build("dlp", {})
    assert epoch_length(recipe, task(100, 1697)) == 33
    assert lengths_of(recipe, 33, 33 * 40).steps == (330, 1320)
    assert lengths_of(recipe, 33, 33).steps == (100, 33)


def test_labels_only_has_the_epochs_of_other_recipes() -> None:
    assert epoch_length(recipes.build("supervised", {}), task(100, 1697)) == 33


def test_a_phase_may_end_in_the_middle_of_an_epoch() -> None:
    lengths = Lengths((100, 66), 33)
    assert [lengths.steps_in(0, epoch) for epoch in range(lengths.epochs(0))] == [33, 33, 33, 1]
    assert lengths.epochs(1) == 2
    assert lengths.steps_before(1, 1) == 133


def test_default_epochs_are_bounded() -> None:
    assert default_epochs(10**6) == 10
    assert default_epochs(1) == 150


def test_the_labeled_stream_walks_through_permutations_without_end() -> None:
    import numpy as np

    pool = np.arange(5)
    stream = endless(pool, 0, 15, [0])
    assert all(sorted(stream[i : i + 5]) == list(range(5)) for i in (0, 5, 10))
    assert np.array_equal(endless(pool, 7, 6, [0]), stream[7:13]), "a later epoch goes on where the earlier stopped"


def test_an_epoch_sees_each_unlabeled_example_at_most_once_and_is_drawn_anew() -> None:
    problem, needs = task(4, 23), BatchSpec(StreamSpec(3), StreamSpec(5))
    first, again, second = (
        draw_epoch(problem, needs, phase=1, epoch=epoch, steps=4, first_step=4 * epoch) for epoch in (0, 0, 1)
    )
    seen = [int(i) for _, of_u in first for i in of_u]
    assert len(seen) == len(set(seen)) == 20
    assert min(seen) >= 4, "labeled examples are no part of the unlabeled stream"
    assert all((a == b).all() for x, y in zip(first, again, strict=True) for a, b in zip(x, y, strict=True))
    assert seen != [int(i) for _, of_u in second for i in of_u]


def test_unknown_recipes_and_settings_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'dlp'"):
        recipes.build("dpl", {})
    with pytest.raises(UnknownNameError, match="did you mean 'n_neighbors'"):
        recipes.build("dlp", {"n_neighbours": 3})


RATES = {"supervised": 0.01, "network-prediction": 0.03}  # seconds a step


def jobs_of(*names: str) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(recipe=recipes.build(name, {}), lengths=SimpleNamespace(steps_per_epoch=50)) for name in names
    ]


def test_a_budget_pays_for_each_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: of 1,000 s, 900 less 100 are left; n steps take 0.01 n, and 0.03 (n + n / 4) with the first phase."""
    monkeypatch.setattr(lengths, "_time_phase", lambda job, index: PhaseCost(RATES[job.recipe.name], 0, 0))
    found = main_steps_within(1_000, jobs_of(*RATES), spent=60, closing=40)
    assert found == pytest.approx(800 / (0.01 + 0.03 * 1.25), abs=5)


def test_a_budget_pays_for_the_trials_of_all_candidates_and_then_for_the_dearest_and_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lengths, "_time_phase", lambda job, index: PhaseCost(RATES[job.recipe.name], 0, 0))
    found = main_steps_within(1_000, jobs_of(*RATES), spent=60, closing=40, trials=(1 / 8, 1 / 4))
    assert found == pytest.approx(800 / (0.375 * (0.01 + 0.03 * 1.25) + 0.03 * 1.25 + 0.01), abs=5)


def test_a_budget_for_nothing_is_refused_with_one_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lengths, "_time_phase", lambda job, index: PhaseCost(0.01, 0, 0))
    with pytest.raises(RequestError, match=r"too short: the shortest run needs about 45 s here.* at least 67s"):
        main_steps_within(30, jobs_of("supervised"), spent=30, closing=10)
    assert main_steps_within(30, jobs_of("supervised"), spent=30, closing=10, least=7) == 7


def test_keeping_an_epoch_is_part_of_its_time_and_leaves_nothing(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(step=10.0)
    monkeypatch.setattr(lengths, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    phase = SimpleNamespace(tensors=lambda: {"weight": torch.ones(3)})
    job = SimpleNamespace(checkpoints=Checkpoints(tmp_path / "checkpoints" / "dlp"))
    assert lengths._time_checkpoint(job, phase) == 10
    assert not list(tmp_path.iterdir())
    assert lengths._time_checkpoint(SimpleNamespace(checkpoints=None), phase) == 0
