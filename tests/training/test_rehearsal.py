"""What a training will cost, timed by a clock that moves with passes and steps alone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from labelprop.core.clock import StageClock
from labelprop.core.types import Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.methods import labels_once
from labelprop.methods.labels_once import LABEL_SOURCES
from labelprop.models.network import ModelSpec, build
from labelprop.training import recipes, rehearsal
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import Job, Lengths, make_fabric
from labelprop.training.phase_run import PhaseRun
from labelprop.training.rehearsal import pass_seconds, rehearse, roughly

N, BATCH = 1000, 20
SETTINGS = {
    "supervised": {"batch_size": BATCH},
    "propagated": {"batch_size": BATCH},
    "dlp": {"batch_size": BATCH, "labeled_batch_size": 10, "n_neighbors": 5},
}


class Ticking:
    """A clock that moves with the work: 1 s a step and 0.01 s an example of a pass over examples."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.steps, self.passed = 0.0, 0, 0
        step, outputs = PhaseRun._step, rehearsal.collect_outputs

        def ticking_step(*arguments: object) -> float:
            self.now, self.steps = self.now + 1, self.steps + 1
            return step(*arguments)

        def ticking_pass(net, loader, rows=None, *arguments, **options):
            n = len(loader.content) if rows is None else len(rows)
            self.now, self.passed = self.now + 0.01 * n, self.passed + n
            return outputs(net, loader, rows, *arguments, **options)

        monkeypatch.setattr(PhaseRun, "_step", ticking_step)
        monkeypatch.setattr(rehearsal, "collect_outputs", ticking_pass)
        monkeypatch.setattr("labelprop.training.outputs.collect_outputs", ticking_pass)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Ticking:
    return Ticking(monkeypatch)


def job_of(recipe: str) -> Job:
    generator = torch.Generator().manual_seed(0)
    content = TensorContent(torch.randn(N, 6, generator=generator), torch.float32)
    made = recipes.build(recipe, SETTINGS[recipe])
    labels_N = torch.where(torch.arange(N) < 40, torch.arange(N) % 3, -1)
    return Job(
        label=recipe,
        recipe=made,
        lengths=Lengths((100,) * len(made.phases), 10),
        task=Task(labels_N, torch.ones(N), 3, seed=0),
        loader=Loader.over(content, Views(Preprocessing.measure(content), "none"), torch.device("cpu")),
        build=lambda: build(ModelSpec("mlp", (6,), made.heads(3), {"hidden": (8,)}, made.l2_feature), 0),
        fabric=make_fabric(torch.device("cpu"), deterministic=False),
        clock=StageClock(),
    )


def test_a_pass_is_timed_on_few_examples(clock: Ticking) -> None:
    assert pass_seconds(job_of("dlp"), clock) == pytest.approx(0.01)
    assert clock.passed < N / 10


def test_a_rough_cost_counts_passes(clock: Ticking) -> None:
    rough = roughly(job_of("dlp"), 0.01)
    assert rough.whole_pass == pytest.approx(10)
    assert [phase.step for phase in rough.phases] == pytest.approx([0.01 * 3 * BATCH] * 2)
    assert [(phase.first, phase.later) for phase in rough.phases] == [(0, 0), (10, 10)]


def test_with_time_enough_every_phase_is_timed_on_all_examples(clock: Ticking) -> None:
    job = job_of("dlp")
    (found,) = rehearse([job], [roughly(job, 0.01)], 1000.0, clock)
    assert [phase.step for phase in found.phases] == [1, 1]
    assert [(phase.first, phase.later) for phase in found.phases] == [(0, 0), pytest.approx((10, 10))]
    assert clock.steps == 2 * (1 + rehearsal.WARM_UP_STEPS)


def test_with_little_time_few_steps_on_few_rows_say_the_same(clock: Ticking) -> None:
    """A refresh of all would take 10 s of the 12 s that there are."""
    job = job_of("dlp")
    (found,) = rehearse([job], [roughly(job, 0.01)], 12.0, clock)
    assert clock.now < 16
    assert [phase.step for phase in found.phases] == [1, 1]
    assert found.phases[1].later == pytest.approx(10, rel=0.01)


def test_a_refresh_is_tried_on_more_rows_as_long_as_the_next_number_fits(clock: Ticking, monkeypatch) -> None:
    """A refresh that compares all pairs of rows: 1e-5 s each beside the pass, 20 s of all 1,000 rows."""
    refreshed, refresh = [], PhaseRun.refresh

    def all_pairs(phase: PhaseRun, epoch: int) -> object:
        n = phase.job.task.n
        if phase.method.refreshes:
            refreshed.append(n)
            clock.now += 1e-5 * n * n
        return refresh(phase, epoch)

    monkeypatch.setattr(PhaseRun, "refresh", all_pairs)
    job = job_of("dlp")
    (found,) = rehearse([job], [roughly(job, 0.01)], 80.0, clock)
    assert max(refreshed) < N
    assert clock.now < 60, "a refresh of all, and steps, would have taken so long"
    assert 20 / 1.5 < found.phases[1].first < 20 * 1.5


def test_a_first_refresh_that_a_method_knows_is_not_done_on_all_rows(clock: Ticking, monkeypatch) -> None:
    seen = []

    def by_propagation(tools, seeds, parameters):
        seen.append(len(seeds.labels_N))
        return seeds.labels_N.clamp_min(0), torch.ones(len(seeds.labels_N))

    monkeypatch.setitem(LABEL_SOURCES, "propagation", by_propagation)
    monkeypatch.setattr(labels_once, "forecast", lambda method, parameters, size: SimpleNamespace(fit_seconds=size.n))
    job = job_of("propagated")
    (found,) = rehearse([job], [roughly(job, 0.01)], 1000.0, clock)
    assert found.phases[0].first == N, "as forecast for all rows"
    assert len(seen) == 1
    assert seen[0] < 70


def test_phases_that_no_time_is_left_for_cost_as_much_more_than_a_pass_says_as_others(clock: Ticking) -> None:
    jobs = [job_of("supervised"), job_of("dlp")]
    rough = [roughly(job, 0.01) for job in jobs]
    _, found = rehearse(jobs, rough, 0.5, clock)
    ratio = 1 / rough[0].phases[0].step
    assert [phase.step for phase in found.phases] == pytest.approx([0.6 * ratio] * 2)
    assert clock.steps == 1


def test_a_rehearsal_on_some_rows_has_every_class() -> None:
    few = rehearsal._on_rows(job_of("dlp"), np.arange(900, 960))
    assert set(few.task.labels_N.tolist()) == {-1, 0, 1, 2}
    assert len(few.loader.content) == few.task.n < 70


def test_keeping_an_epoch_is_part_of_its_time_and_leaves_nothing(tmp_path) -> None:
    times = iter([0.0, 10.0])
    phase = SimpleNamespace(tensors=lambda: {"weight": torch.ones(3)})
    job = SimpleNamespace(checkpoints=Checkpoints(tmp_path / "checkpoints" / "dlp"))
    assert rehearsal._time_checkpoint(job, phase, lambda: next(times)) == 10
    assert not list(tmp_path.iterdir())
    assert rehearsal._time_checkpoint(SimpleNamespace(checkpoints=None), phase) == 0
