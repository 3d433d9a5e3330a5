"""How long to train: from --epochs, from --budget, or a default for small data."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from labelprop.clock import StageClock
from labelprop.data.batches import steps_per_epoch
from labelprop.errors import RequestError
from labelprop.training.job import Job, Plan, WorkMeter
from labelprop.training.phase_run import PhaseRun
from labelprop.training.phases import Recipe
from labelprop.types import Task

DEFAULT_STEPS = 3000  # about what a small network needs on a few thousand examples
DEFAULT_EPOCHS = (10, 150)  # at least, at most
WARM_UP_STEPS = 20
RESERVE = 0.10
UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "": 60}


def parse_budget(text: str | float) -> float:
    """'90s', '10min', '1.5h' (a bare number is minutes) to seconds."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", str(text).lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise RequestError(f"--budget {text} is not a duration; write for example 90s, 10min or 1.5h.")
    return float(match[1]) * UNITS[match[2]]


def epoch_length(recipe: Recipe, task: Task) -> int:
    """Steps of an epoch: one pass over U by the main phase's unlabeled stream, or over what the recipe says."""
    needs = recipe.main.method().needs
    if recipe.pass_over == "labeled":
        return max(1, len(task.labeled_L) // max(1, needs.labeled.size))
    if recipe.pass_over == "all":
        return max(1, task.n // (needs.labeled.size + needs.unlabeled.size))
    joint = needs.unlabeled.size or max(1, needs.labeled.size // 2)  # labels only: the epochs of its rivals
    return steps_per_epoch(task, joint, needs.labeled.size)


def plan_steps(recipe: Recipe, per_epoch: int, main_steps: int) -> Plan:
    return Plan(tuple(phase.steps(main_steps) for phase in recipe.phases), per_epoch)


def default_epochs(per_epoch: int) -> int:
    least, most = DEFAULT_EPOCHS
    return min(max(-(-DEFAULT_STEPS // per_epoch), least), most)


def main_steps_within(seconds: float, jobs: Sequence[Job], *, spent: float, closing: float) -> int:
    """The number of main-phase steps that `seconds` pay for.

    Times 20 warm-up steps of every phase on a throw-away network, and one refresh; `spent` seconds are gone
    already, `closing` seconds follow training, and a tenth is kept in reserve.
    Raises RequestError where it does not even pay for the shortest run.
    """
    began = time.perf_counter()
    fixed, per_step = 0.0, 0.0
    for job in jobs:
        for index, phase in enumerate(job.recipe.phases):
            step, refresh = _time_phase(job, index)
            per_step += phase.share * (step + refresh / job.plan.steps_per_epoch)
            fixed += 2 * refresh
    available = seconds * (1 - RESERVE) - spent - (time.perf_counter() - began) - fixed - closing
    steps = int(available / per_step)
    if steps < WARM_UP_STEPS:
        shortest = spent + fixed + closing + per_step * WARM_UP_STEPS
        raise RequestError(
            f"--budget of {seconds:.0f} s is too short: reading, measuring and reporting alone take about "
            f"{shortest:.0f} s here. Give at least {shortest * 1.5:.0f}s."
        )
    return steps


def _time_phase(job: Job, index: int) -> tuple[float, float]:
    """Seconds of a step and of a refresh with its pass over the data."""
    rehearsal = replace(
        job,
        plan=Plan((WARM_UP_STEPS,) * len(job.recipe.phases), WARM_UP_STEPS),
        meter=WorkMeter(1),
        clock=StageClock(),
        checkpoints=None,
        history=None,
        monitor=None,
    )
    phase = PhaseRun(rehearsal, job.build().to(job.fabric.device), index, {}, None)
    began = time.perf_counter()
    phase.refresh(0)
    refreshed = time.perf_counter()
    phase.epoch(0)  # the first one also pays for warming up; only the second counts
    warm = time.perf_counter()
    phase.epoch(0)
    return (time.perf_counter() - warm) / WARM_UP_STEPS, refreshed - began
