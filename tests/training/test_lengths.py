from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.types import BatchSpec, StreamSpec, Task
from labelprop.data.views.batches import draw_epoch, endless, steps_per_epoch
from labelprop.training import lengths, recipes
from labelprop.training.job import Lengths
from labelprop.training.lengths import (
    LEAST_RACED,
    Budget,
    default_epochs,
    epoch_length,
    foreseen,
    lengths_of,
    plan_within,
)
from labelprop.training.rehearsal import JobCost, PhaseCost


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
SOLO = SimpleNamespace(first=lambda value: value)


def jobs_of(*names: str) -> list[SimpleNamespace]:
    parts = {"lengths": SimpleNamespace(steps_per_epoch=50), "group": SOLO, "task": SimpleNamespace(n=1000)}
    return [SimpleNamespace(recipe=recipes.build(name, {}), **parts) for name in names]


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps cost what RATES says, refreshes nothing; a pass over all 1,000 examples takes 2 s; no time passes."""

    def rehearsed(jobs, rough, allowed: float) -> list[JobCost]:
        return [
            JobCost(tuple(PhaseCost(RATES[job.recipe.name], 0, 0) for _ in job.recipe.phases), one.whole_pass)
            for job, one in zip(jobs, rough, strict=True)
        ]

    monkeypatch.setattr(lengths, "time", SimpleNamespace(perf_counter=lambda: 0.0))
    monkeypatch.setattr(lengths, "pass_seconds", lambda job: 0.002)
    monkeypatch.setattr(lengths, "rehearse", rehearsed)


def test_a_budget_pays_for_each_job_once_and_for_what_follows(timed) -> None:
    """By hand: of 1,000 s, 900 less 100 and 3 passes are left; n steps take 0.01 n, and 0.03 (n + n / 4)."""
    found = plan_within(Budget(1_000, spent=60, closing=40, passes=3), jobs_of(*RATES))
    assert found.main_steps == pytest.approx((800 - 6) / (0.01 + 0.03 * 1.25), abs=5)
    assert found.seconds == pytest.approx(840, abs=1), "all but the reserve and what is spent"


def test_a_budget_pays_for_the_trials_of_all_candidates_and_then_for_the_dearest_and_the_first(timed) -> None:
    """Each of the four trials ends with a pass."""
    found = plan_within(Budget(1_000, spent=60, closing=40), jobs_of(*RATES), trials=(1 / 8, 1 / 4))
    assert found.places == (0, 1)
    assert found.main_steps == pytest.approx((800 - 8) / (0.375 * (0.01 + 0.03 * 1.25) + 0.03 * 1.25 + 0.01), abs=5)


@pytest.mark.parametrize(("first_look", "places"), [(240, (0, 1, 2)), (270, (0, 1))])
def test_a_candidate_that_is_too_dear_to_try_is_left_out(timed, monkeypatch, first_look: float, places) -> None:
    """Two trials and a full training of it begin with a look of so many seconds; 800 are left, 34 of 400 steps."""
    rehearsed = lengths.rehearse

    def with_looks(jobs, rough, allowed: float) -> list[JobCost]:
        found = rehearsed(jobs, rough, allowed)
        looks = tuple(PhaseCost(RATES["supervised"], first_look, 0) for _ in jobs[-1].recipe.phases)
        return [*found[:-1], JobCost(looks, found[-1].whole_pass)]

    monkeypatch.setattr(lengths, "rehearse", with_looks)
    monkeypatch.setitem(RATES, "propagated", 0.01)
    budget = Budget(1_000, spent=60, closing=40)
    found = plan_within(budget, jobs_of(*RATES), trials=(1 / 8, 1 / 4))
    assert found.places == places
    assert found.main_steps >= LEAST_RACED
    rival = plan_within(budget, jobs_of("supervised", "propagated"), trials=(1 / 8, 1 / 4))
    assert rival.places == ((0, 1) if first_look == 240 else (1,)), "trained untried, or raced"
    assert rival.main_steps >= LEAST_RACED


def test_where_no_race_is_paid_for_the_first_that_has_time_is_trained(timed, monkeypatch) -> None:
    """36 s are left; 400 steps of network-prediction and of the labels alone take 19, six trials of both 37 more."""
    monkeypatch.setattr(lengths, "pass_seconds", lambda job: 0.0001)
    monkeypatch.setitem(RATES, "dlp", 0.5)
    budget, jobs = Budget(100, spent=50, closing=4), jobs_of("supervised", "dlp", "network-prediction")
    found = plan_within(budget, jobs, trials=(1 / 8, 1 / 4) * 3)
    assert found.places == (2,)
    assert found.main_steps == pytest.approx(36 / (0.03 * 1.25 + 0.01), abs=5)


def test_a_budget_for_nothing_is_refused_with_one_that_does(timed, monkeypatch) -> None:
    """30 s are gone, 20 steps take 0.2 s, 10 s follow: 44.7 s with the reserve."""
    monkeypatch.setattr(lengths, "pass_seconds", lambda job: 0.0)
    with pytest.raises(RequestError, match=r"--budget of 30 s is too short here.* at least 60s"):
        plan_within(Budget(30, spent=30, closing=10), jobs_of("supervised"))
    assert plan_within(Budget(30, spent=30, closing=10), jobs_of("supervised"), least=7).main_steps == 7


def test_what_a_pass_over_a_few_examples_rules_out_is_refused_before_a_step_is_timed(timed, monkeypatch) -> None:
    monkeypatch.setattr(lengths, "pass_seconds", lambda job: 1.0)
    monkeypatch.setattr(lengths, "rehearse", lambda *_: pytest.fail("a step was timed"))
    with pytest.raises(RequestError, match="at least"):
        plan_within(Budget(60, spent=3, closing=5), jobs_of("network-prediction"))


@pytest.mark.parametrize(("spent", "timing"), [(0, 20), (5, 15), (19, 5), (50, 5)])
def test_finding_out_what_fits_ends_with_the_first_fifth(spent: float, timing: float) -> None:
    assert Budget(100, spent=spent, closing=0).timing == pytest.approx(timing)


@pytest.mark.parametrize(("steps", "trials", "seconds"), [(200_000, (), 2_500), (100_000, (0.125, 0.25), 2_468.75)])
def test_a_long_training_is_foreseen_and_a_short_one_is_not_timed(timed, monkeypatch, steps, trials, seconds) -> None:
    """By hand: 0.01 s a step for one and 0.0025 s for the other, each tried for 3/8 of it, then the
    dearest and the first in full, here the same."""
    monkeypatch.setitem(RATES, "propagated", 0.0025)
    monkeypatch.setattr(lengths, "LONG", 1_000.0)
    jobs = jobs_of("supervised", "propagated")
    for job in jobs:
        job.lengths = Lengths((steps,), 50)
    assert foreseen(jobs, trials) == pytest.approx(seconds)
    monkeypatch.setattr(lengths, "LONG", 3_000.0)
    assert foreseen(jobs, trials) is None, "long by a pass over a few examples, and not by what was timed"
    monkeypatch.setattr(lengths, "pass_seconds", lambda job: 1e-9)
    monkeypatch.setattr(lengths, "rehearse", lambda *_: pytest.fail("a step was timed"))
    assert foreseen(jobs, trials) is None
