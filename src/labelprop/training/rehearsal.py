"""What a training costs here: passes, steps and refreshes, timed on throw-away networks within a time allowed.

A forward pass of a few examples comes first, and gives a rough cost of everything. Each phase is then timed by up to
20 steps, and its refreshes on more and more rows as long as there is time for more, unless a method knows what they
cost; phases that no time is left for cost what the pass says, times what the timed ones turned out to cost of that.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from labelprop.core.callbacks import Callbacks
from labelprop.core.clock import StageClock
from labelprop.core.types import Task
from labelprop.data.views.batches import Loader
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import STEP_PASSES, Job, Lengths, WorkMeter
from labelprop.training.outputs import collect_outputs
from labelprop.training.phase_run import PhaseRun

WARM_UP_STEPS = 20  # that are timed of a phase, if there is time
PASSED = 256  # rows of the pass at most
PASS_SECONDS = 0.2  # of it, after which no more rows are added
FEWEST_ROWS = 64  # of a rehearsal
GROWN = 4  # times as many rows are tried next
MOST_POWER = 2.0  # of the number of rows, by which a refresh may grow: all pairs of rows are compared
EPOCHS = 1000  # that a rehearsal pretends to have: it stands in the middle of a training


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """The cost of a phase's step, of its first refresh, and of a later one, in seconds or another unit."""

    step: float
    first: float
    later: float

    def times(self, factor: float) -> PhaseCost:
        return PhaseCost(self.step * factor, self.first * factor, self.later * factor)


@dataclass(frozen=True, slots=True)
class JobCost:
    """Of each phase, and of a pass over all examples, in seconds."""

    phases: tuple[PhaseCost, ...]
    whole_pass: float


def pass_seconds(job: Job, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the network's forward pass over an example, with reading it."""
    net = job.build().to(job.fabric.device)
    n = min(8, job.task.n)
    collect_outputs(net, job.loader, np.arange(n), n)  # the first pays for warming up
    while True:
        began = clock()
        collect_outputs(net, job.loader, np.arange(n), n)
        seconds = clock() - began
        if seconds > PASS_SECONDS or n >= min(PASSED, job.task.n):
            return seconds / n
        n = min(4 * n, PASSED, job.task.n)


def roughly(job: Job, row: float) -> JobCost:
    """From the seconds of an example's pass: a refresh is one over all examples, where a method has any."""
    whole = row * job.task.n
    refreshes = [whole if phase.method.refreshes else 0.0 for phase in job.recipe.phases]
    steps = [STEP_PASSES * row * phase.needs.passes for phase in job.recipe.phases]
    return JobCost(tuple(map(PhaseCost, steps, refreshes, refreshes)), whole)


def rehearse(
    jobs: Sequence[Job], rough: Sequence[JobCost], allowed: float, clock: Callable[[], float] = time.perf_counter
) -> list[JobCost]:
    """The cost of each job, timed in about so many seconds."""
    until, left = clock() + allowed, sum(len(job.recipe.phases) for job in jobs)
    found, ratios = [], []
    for job, guess in zip(jobs, rough, strict=True):
        phases = []
        for index, rough_phase in enumerate(guess.phases):
            share = job.group.first((until - clock()) / left)  # all processes take the same steps
            left -= 1
            if share > 0:
                phases.append(_time_phase(job, index, share, guess.whole_pass, clock))
                ratios.append(phases[-1].step / rough_phase.step)
            else:
                phases.append(rough_phase.times(max(ratios, default=1.0)))
        found.append(replace(guess, phases=tuple(phases)))
    return found


def _time_phase(job: Job, index: int, share: float, whole_pass: float, clock: Callable[[], float]) -> PhaseCost:
    """Seconds of a step, of the first refresh, and of a later refresh with the checkpoint that follows."""
    n, began = job.task.n, clock()
    fitting = n if 4 * whole_pass <= share else max(FEWEST_ROWS, int(n * share / 4 / whole_pass))
    known = job.group.first(job.recipe.phases[index].method.refresh_seconds(job.loader.content.shape, job.task))
    phase, first, power = _refreshed(job, index, fitting if known is None else FEWEST_ROWS, share / 4, clock)
    more = (n / phase.job.task.n) ** power
    step = _steps(phase, 1, clock)  # this one also pays for warming up
    fits = job.group.first(min(WARM_UP_STEPS, int((share - (clock() - began)) / 2 / step)))
    if fits > 0:
        step = _steps(phase, fits, clock)
    later = _seconds(lambda: phase.refresh(1), clock)
    first = more * first if known is None else known
    return PhaseCost(step, first, more * later + _time_checkpoint(job, phase, clock))


def _refreshed(
    job: Job, index: int, most: int, allowed: float, clock: Callable[[], float]
) -> tuple[PhaseRun, float, float]:
    """A phase on at most so many rows, the seconds of its first refresh, and by which power of the rows they grow.

    Where it has a refresh it begins with few rows: more are tried as long as the next number will fit.
    """
    began, tried = clock(), list[tuple[int, float]]()
    rows = min(FEWEST_ROWS, most) if job.recipe.phases[index].method.refreshes else most
    while True:
        phase, seconds = _first_refresh(job, index, rows, clock)
        tried.append((phase.job.task.n, seconds))
        left = allowed - (clock() - began)
        if not job.group.first(rows < most and GROWN**MOST_POWER * seconds < left):
            return phase, seconds, _power(*tried[-2:])
        rows = min(GROWN * rows, most)


def _first_refresh(job: Job, index: int, rows: int, clock: Callable[[], float]) -> tuple[PhaseRun, float]:
    n = job.task.n
    rehearsed = _on_rows(job, np.arange(n)[:: -(-n // rows)] if rows < n else None)
    phase = PhaseRun(rehearsed, job.build().to(job.fabric.device), index, {}, None)
    return phase, _seconds(lambda: phase.refresh(0), clock)


def _power(*tried: tuple[int, float]) -> float:
    """By which power of the number of rows seconds grew, from 1 to 2; 1 where one number was tried."""
    (fewer, less), (rows, seconds) = tried[0], tried[-1]
    if rows <= fewer or min(less, seconds) <= 0:
        return 1.0
    return min(max(math.log(seconds / less) / math.log(rows / fewer), 1.0), MOST_POWER)


def _on_rows(job: Job, rows: np.ndarray | None) -> Job:
    """A rehearsal of this job, on some rows alone."""
    task, loader, monitor = job.task, job.loader, job.monitor
    if rows is not None:
        rows = np.union1d(rows, _one_a_class(task))
        places = torch.from_numpy(rows).to(task.labels_N.device)
        task = Task(task.labels_N[places], task.weights_N[places], task.n_classes, task.seed)
        loader, monitor = Loader.over(loader.content.take(rows), loader.views, loader.device), None
    return replace(
        job,
        task=task,
        loader=loader,
        lengths=Lengths((EPOCHS * WARM_UP_STEPS,) * len(job.recipe.phases), WARM_UP_STEPS),
        meter=WorkMeter(),
        clock=StageClock(),
        checkpoints=None,
        history=None,
        callbacks=Callbacks(),
        monitor=None if monitor is None else monitor.rehearsing(),
    )


def _one_a_class(task: Task) -> np.ndarray:
    labels_N = task.labels_N.cpu().numpy()
    return np.unique(labels_N, return_index=True)[1]


def _steps(phase: PhaseRun, n: int, clock: Callable[[], float]) -> float:
    """Seconds of a step, of `n` in a row."""
    job = phase.job
    phase.job = replace(job, lengths=replace(job.lengths, steps_per_epoch=n))
    seconds = _seconds(lambda: phase.epoch(0), clock)
    phase.job = job
    return seconds / n


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    began = clock()
    work()
    return clock() - began


def _time_checkpoint(job: Job, phase: PhaseRun, clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of the second of two checkpoints, on the run's disk: with short epochs they take most of the time."""
    if job.checkpoints is None:
        return 0.0
    place = next(folder for folder in job.checkpoints.folder.parents if folder.is_dir())
    with tempfile.TemporaryDirectory(dir=place) as folder:
        trial = Checkpoints(Path(folder))
        trial.save(1, phase.tensors(), {})
        return _seconds(lambda: trial.save(2, phase.tensors(), {}), clock)
