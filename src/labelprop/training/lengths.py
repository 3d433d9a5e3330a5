"""How long to train: from --epochs, from --budget, or a default for small data."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from labelprop.core.errors import RequestError
from labelprop.core.text import duration, whole_duration
from labelprop.core.types import Task
from labelprop.data.views.batches import steps_per_epoch
from labelprop.methods.phases import Recipe
from labelprop.training.job import Job, Lengths
from labelprop.training.rehearsal import WARM_UP_STEPS, JobCost, PhaseCost, pass_seconds, rehearse, roughly

DEFAULT_STEPS = 3000  # about what a small network needs on a few thousand examples
DEFAULT_EPOCHS = (10, 150)  # at least, at most
RESERVE = 0.10  # of a budget
TIMED_BY, LEAST_TIMING = 0.2, 0.05  # shares of a budget
DOUBT = 2.0  # how far a pass over a few examples may overrate a training
LEAST_RACED = 400  # steps of a candidate in full: shorter trials tell how fast a recipe starts, not how well it ends
LONG = 30 * 60.0  # seconds of a training without a budget, from which on they are said before it starts
TIMED_LONG, MOST_TIMED = 0.01, 20.0  # of that: share, and seconds, in which it is found out
MARGIN = 1.3  # of a budget that is advised: another run finds the machine a little slower


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


def cost_of(lengths: Lengths, phases: Sequence[PhaseCost]) -> float:
    """The cost of a whole training: every phase is refreshed before each epoch and after the last."""
    return sum(
        lengths.steps[index] * phase.step + phase.first + lengths.epochs(index) * phase.later
        for index, phase in enumerate(phases)
    )


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds for a whole command. `spent` are gone; after training come `passes` over all examples and `closing`."""

    seconds: float
    spent: float
    closing: float
    passes: float = 0.0

    @property
    def timing(self) -> float:
        """Seconds for finding out what fits: with these a fifth of it is gone, if reading has left so much."""
        return max(TIMED_BY * self.seconds - self.spent, LEAST_TIMING * self.seconds)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps of the main phase, the seconds from now to the end of the command, where they are known, and the jobs.

    `places` are those of the jobs that are paid for, in the order in which they were given.
    """

    main_steps: int
    seconds: float | None = None
    places: tuple[int, ...] = ()


def foreseen(jobs: Sequence[Job], trials: Sequence[float] = ()) -> float | None:
    """Seconds of training all jobs at their lengths, or of trying them as in `plan_within`; None where that is short.

    A pass over a few examples tells what is short; what is not is timed for a hundredth of that time.
    """
    first = jobs[0].group.first
    row = first(pass_seconds(jobs[0]))
    rough = [roughly(job, row) for job in jobs]

    def whole(costs: Sequence[JobCost]) -> float:
        each = [cost_of(job.lengths, cost.phases) for job, cost in zip(jobs, costs, strict=True)]
        return sum(trials) * sum(each) + max(each) + each[0] if trials else sum(each)

    guess = whole(rough)
    if guess < LONG / DOUBT:
        return None
    seconds: float = first(whole(rehearse(jobs, rough, min(TIMED_LONG * guess, MOST_TIMED))))
    return seconds if seconds >= LONG else None


def plan_within(budget: Budget, jobs: Sequence[Job], *, trials: Sequence[float] = (), least: int = 0) -> Plan:
    """As many main-phase steps as a budget pays for, each job being trained once; `least` in any case.

    With `trials` the jobs are candidates, the labels alone first and then in order of preference: each is trained for
    each of these shares of it, and then one of them in full, maybe the dearest, with the first beside it. The dearest
    are left out until there are `LEAST_RACED` steps. Where there are not even for one candidate and the labels alone,
    a single place is returned, of the first that has them without trials.

    A tenth is kept in reserve. Raises RequestError where the budget does not even pay for the shortest run and there
    is no `least`: at once where a pass over a few examples says so, else when all phases were timed.
    """
    began, first = time.perf_counter(), jobs[0].group.first  # of several processes the first decides

    def gone() -> Budget:
        now: Budget = first(replace(budget, spent=budget.spent + time.perf_counter() - began))
        return now

    row = first(pass_seconds(jobs[0]))  # all have this network
    rough = [roughly(job, row) for job in jobs]
    if not least:
        _refuse_too_short(gone(), jobs, rough, trials, DOUBT)
    costs = first(rehearse(jobs, rough, gone().timing))
    if not least:
        _refuse_too_short(gone(), jobs, costs, trials)
    after = _after(budget, costs)
    left = budget.seconds * (1 - RESERVE) - gone().spent - after
    places = _raced(jobs, costs, trials, left) if trials else list(range(len(jobs)))
    trained, trials = (places, trials) if len(places) > 1 else (sorted({0, *places}), ())
    jobs, costs = [jobs[at] for at in trained], [costs[at] for at in trained]
    steps = max(most(lambda steps: cost_of_all(jobs, costs, trials, steps), left), least)
    return Plan(steps, cost_of_all(jobs, costs, trials, steps) + after, tuple(places))


def _raced(jobs: Sequence[Job], costs: Sequence[JobCost], trials: Sequence[float], left: float) -> list[int]:
    """The places of the candidates that are tried in so many seconds, or of the one that is trained untried."""

    def cost(places: Sequence[int], trials: Sequence[float]) -> float:
        return cost_of_all([jobs[at] for at in places], [costs[at] for at in places], trials, LEAST_RACED)

    kept, rivals = list(range(len(jobs))), range(1, len(jobs))
    while len(kept) > 2 and cost(kept, trials) > left:
        kept.remove(max(kept[1:], key=lambda at: cost([at], trials)))
    if cost(kept, trials) <= left:
        return kept
    fitting = [at for at in rivals if cost([0, at], ()) <= left]
    return fitting[:1] or [min(rivals, key=lambda at: cost([0, at], ()))]


def cost_of_all(jobs: Sequence[Job], costs: Sequence[JobCost], trials: Sequence[float], main_steps: int) -> float:
    """Seconds of training all jobs; with `trials` of trying all and training the dearest and the first."""
    whole = [_seconds(job, cost, main_steps) for job, cost in zip(jobs, costs, strict=True)]
    if not trials:
        return sum(whole)
    tried = [
        _seconds(job, cost, round(share * main_steps)) + cost.whole_pass
        for job, cost in zip(jobs, costs, strict=True)
        for share in trials
    ]
    return sum(tried) + max(whole) + whole[0]


def _refuse_too_short(
    budget: Budget, jobs: Sequence[Job], costs: Sequence[JobCost], trials: Sequence[float], doubt: float = 1.0
) -> None:
    """Raises RequestError where the shortest run takes `doubt` times longer than the budget.

    Of candidates that is a training of the cheapest and of the labels alone, without trials.
    """
    ways: list[Sequence[int]] = [(0, at) for at in range(1, len(jobs))] if trials else [range(len(jobs))]
    trained = (([jobs[at] for at in way], [costs[at] for at in way]) for way in ways)
    shortest = min(cost_of_all(*each, (), WARM_UP_STEPS) for each in trained) + _after(budget, costs)
    if budget.spent + shortest / doubt > budget.seconds * (1 - RESERVE):
        raise too_short(budget.seconds, budget.spent + shortest)


def too_short(seconds: float, needed: float) -> RequestError:
    """The refusal of a budget where the shortest run needs so many seconds, with the one that would do."""
    enough = whole_duration(MARGIN * needed / (1 - RESERVE))
    return RequestError(
        f"--budget of {duration(seconds)} is too short here, with reading, measuring and reporting; give at least "
        f"{enough}, or less to do: fewer examples, a smaller --image-size or --model."
    )


def _after(budget: Budget, costs: Sequence[JobCost]) -> float:
    return budget.closing + budget.passes * max(cost.whole_pass for cost in costs)


def most(cost: Callable[[int], float], limit: float) -> int:
    """The largest n >= 0 with cost(n) <= limit, of a cost that grows with n; 0 where there is none."""
    beyond = 1
    while cost(beyond) <= limit:
        beyond *= 2
    return bisect_right(range(beyond), limit, key=cost) - 1 if cost(0) <= limit else 0


def _seconds(job: Job, cost: JobCost, main_steps: int) -> float:
    return cost_of(lengths_of(job.recipe, job.lengths.steps_per_epoch, max(1, main_steps)), cost.phases)
