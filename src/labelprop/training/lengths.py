"""How long to train: from --epochs, from --budget, or a default for small data."""

from __future__ import annotations

import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labelprop.core.callbacks import Callbacks
from labelprop.core.clock import StageClock
from labelprop.core.errors import RequestError
from labelprop.core.types import Task
from labelprop.data.views.batches import steps_per_epoch
from labelprop.methods.phases import Recipe
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import Job, Lengths, WorkMeter
from labelprop.training.phase_run import PhaseRun

DEFAULT_STEPS = 3000  # about what a small network needs on a few thousand examples
DEFAULT_EPOCHS = (10, 150)  # at least, at most
WARM_UP_STEPS = 20  # that are timed for a budget
RESERVE = 0.10  # of a budget
CLOSING_SECONDS = 10.0  # of a budget: for the map and the page


def epoch_length(recipe: Recipe, task: Task) -> int:
    """Steps of an epoch: one pass over U by the main phase's unlabeled stream, or over what the recipe says."""
    needs = recipe.main.needs
    if recipe.pass_over == "labeled":
        return max(1, len(task.labeled_L) // max(1, needs.labeled.size))
    if recipe.pass_over == "all":
        return max(1, task.n // (needs.labeled.size + needs.unlabeled.size))
    joint = needs.unlabeled.size or max(1, needs.labeled.size // 2)  # labels only: the epochs of other recipes
    return steps_per_epoch(task, joint, needs.labeled.size)


def lengths_of(recipe: Recipe, per_epoch: int, main_steps: int) -> Lengths:
    return Lengths(tuple(phase.steps(main_steps) for phase in recipe.phases), per_epoch)


def default_epochs(per_epoch: int) -> int:
    least, most = DEFAULT_EPOCHS
    return min(max(-(-DEFAULT_STEPS // per_epoch), least), most)


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """The cost of a phase's step, of its first refresh, and of a later one, in seconds or another unit."""

    step: float
    first: float
    later: float


def cost_of(lengths: Lengths, phases: Sequence[PhaseCost]) -> float:
    """The cost of a whole training: every phase is refreshed before each epoch and after the last."""
    return sum(
        lengths.steps[index] * phase.step + phase.first + lengths.epochs(index) * phase.later
        for index, phase in enumerate(phases)
    )


def main_steps_within(
    seconds: float, jobs: Sequence[Job], *, spent: float, closing: float, trials: Sequence[float] = (), least: int = 0
) -> int:
    """The number of main-phase steps that `seconds` pay for, each job being trained once; `least` in any case.

    With `trials` the jobs are candidates: each is trained for each of these shares of it, and then one of them in
    full, maybe the dearest, with the first beside it, the labels alone.

    Times 20 warm-up steps of every phase on a throw-away network, and its refreshes; `spent` seconds are gone
    already, `closing` seconds follow training, and a tenth is kept in reserve.
    Raises RequestError where it does not even pay for the shortest run and there is no `least`.
    """
    began = time.perf_counter()
    timed = [(job, [_time_phase(job, index) for index in range(len(job.recipe.phases))]) for job in jobs]

    def cost(main_steps: int) -> float:
        whole = [_seconds(job, times, main_steps) for job, times in timed]
        if not trials:
            return sum(whole)
        tried = [_seconds(job, times, round(share * main_steps)) for job, times in timed for share in trials]
        return sum(tried) + max(whole) + whole[0]

    gone = spent + time.perf_counter() - began
    steps = most(cost, seconds * (1 - RESERVE) - gone - closing)
    if steps < WARM_UP_STEPS and not least:
        shortest = (gone + closing + cost(WARM_UP_STEPS)) / (1 - RESERVE)
        raise RequestError(
            f"--budget of {seconds:.0f} s is too short: the shortest run needs about {shortest:.0f} s here, with "
            f"reading, measuring, reporting and a tenth in reserve. Give at least {shortest * 1.5:.0f}s."
        )
    return max(steps, least)


def most(cost: Callable[[int], float], limit: float) -> int:
    """The largest n >= 0 with cost(n) <= limit, of a cost that grows with n; 0 where there is none."""
    beyond = 1
    while cost(beyond) <= limit:
        beyond *= 2
    return bisect_right(range(beyond), limit, key=cost) - 1 if cost(0) <= limit else 0


def _seconds(job: Job, phases: Sequence[PhaseCost], main_steps: int) -> float:
    return cost_of(lengths_of(job.recipe, job.lengths.steps_per_epoch, max(1, main_steps)), phases)


def _time_phase(job: Job, index: int) -> PhaseCost:
    """Seconds of a step, of the first refresh, and of a later refresh with the checkpoint that follows."""
    rehearsal = replace(
        job,
        lengths=Lengths((WARM_UP_STEPS,) * len(job.recipe.phases), WARM_UP_STEPS),
        meter=WorkMeter(1),
        clock=StageClock(),
        checkpoints=None,
        history=None,
        monitor=None,
        callbacks=Callbacks(),
    )
    phase = PhaseRun(rehearsal, job.build().to(job.fabric.device), index, {}, None)
    began = time.perf_counter()
    phase.refresh(0)
    refreshed = time.perf_counter()
    phase.epoch(0)  # the first one also pays for warming up; only the second counts
    again = time.perf_counter()
    phase.refresh(1)
    warm = time.perf_counter()
    phase.epoch(0)
    step = (time.perf_counter() - warm) / WARM_UP_STEPS
    return PhaseCost(step, refreshed - began, warm - again + _time_checkpoint(job, phase))


def _time_checkpoint(job: Job, phase: PhaseRun) -> float:
    """Seconds of the second of two checkpoints, on the run's disk: with short epochs they take most of the time."""
    if job.checkpoints is None:
        return 0.0
    place = next(folder for folder in job.checkpoints.folder.parents if folder.is_dir())
    with tempfile.TemporaryDirectory(dir=place) as folder:
        trial = Checkpoints(Path(folder))
        trial.save(1, phase.tensors(), {})
        began = time.perf_counter()
        trial.save(2, phase.tensors(), {})
        return time.perf_counter() - began
