"""`--recipe auto`: successive halving among recipes (the race), its length, and its record in the run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import torch

from labelprop.core.clock import StageClock
from labelprop.core.errors import NonFiniteLossError, RequestError
from labelprop.core.run_folder import RACE, RunFolder
from labelprop.core.text import counted
from labelprop.core.types import UNLABELED, Task
from labelprop.data.views.batches import Loader
from labelprop.data.views.views import Views
from labelprop.runs.design import Design
from labelprop.runs.outlook import warn_if_long
from labelprop.runs.prepare import PreparedTraining
from labelprop.runs.record import MUST_MATCH, check_same_run, configuration
from labelprop.training import loop
from labelprop.training.halving import BASELINE, ROUNDS, HalvingResult, Trial, hidden_labels, successive_halving
from labelprop.training.job import Job
from labelprop.training.lengths import default_epochs, epoch_length, lengths_of, plan_within
from labelprop.training.outputs import collect_outputs

KNOWN_BEFORE = (  # what a record of the run holds before the recipe is known
    *("request", "command"),
    *("format", "data", "labels", "classes", "backbone", "tune", "init", "seed", "epochs", "steps"),
    *("budget", "deterministic", "compile", "precision", "device", "devices", "threads", "versions"),
)
OF_THE_FIRST = ("model", "augment")  # later they are the chosen recipe's, which may have other heads and views
RACING = "racing"


def decide_by_halving(folder: RunFolder | None, prepared: PreparedTraining) -> PreparedTraining:
    """The same with the design that was chosen. Interrupted trials are continued.

    The first of several processes has the folder. Trials are written to race.json as they end, then the choice.
    """
    designs = {design.recipe.name: design for design in prepared.candidates}
    if len(designs) == 1:  # every example is labeled: there is nothing to choose
        return prepared
    kept = prepared.group.first(_kept(folder, prepared))
    if "recipe" not in kept:
        prepared = _continued(prepared, kept)
        running = _Halving(folder, prepared, designs, _loaders(prepared))
        lengths = kept.get("lengths") or prepared.group.first(running.full_lengths())
        outcome = running.run(lengths, [Trial(**trial) for trial in kept.get("heats", ())])
        kept = prepared.group.first(outcome).to_json() | {"lengths": lengths}
        if folder is not None:
            folder.write_json(RACE, kept)
    if folder is not None:
        _end_halving(folder, prepared.clock)
    prepared.request.reporter.say(f"recipe: {kept['reason']}")
    chosen = designs[kept["recipe"]]
    if chosen.augment != prepared.design.augment:
        prepared.request.reporter.say(f"augmentation: {chosen.augment} ({chosen.chosen['augment']})")
    tried = max(1, round(ROUNDS[-1] * kept["lengths"][kept["recipe"]])) if kept["heats"] else 0
    return replace(prepared, design=chosen, least_steps=tried)


def _loaders(prepared: PreparedTraining) -> dict[str, Loader]:
    """Of the examples, by augmentation: candidates that see the same views share one."""
    found: dict[str, Loader] = {}
    for design in prepared.candidates:
        if design.augment not in found:
            views = Views(design.preprocessing, design.augment)
            found[design.augment] = Loader.over(design.embedded.content, views, prepared.device)
    return found


def _kept(folder: RunFolder | None, prepared: PreparedTraining) -> dict[str, Any]:
    """The record of this race. Raises RequestError where the folder is that of another run."""
    if folder is None:
        return {}
    now, previous = configuration(prepared), folder.read_json("run.json")
    racing = (*KNOWN_BEFORE, *OF_THE_FIRST)
    names = racing if previous.get("status", RACING) == RACING else KNOWN_BEFORE
    if not previous:
        folder.write_json("run.json", {name: now[name] for name in names} | {"status": RACING})
    else:
        _check_raced(folder, previous)
        if not prepared.request.force:
            check_same_run({name: previous[name] for name in names if name in previous}, now)
    return folder.read_json(RACE)


def _continued(prepared: PreparedTraining, kept: Mapping[str, Any]) -> PreparedTraining:
    """Counts the time of an interrupted race against the budget, and in each stage."""
    for stage, usage in kept.get("stages", {}).items():
        prepared.clock.add(stage, usage)
    request = prepared.request
    return replace(prepared, request=replace(request, began=request.began - kept.get("seconds", 0)))


def _check_raced(folder: RunFolder, previous: Mapping[str, Any]) -> None:
    if "recipe" in previous and not (folder.path / RACE).exists():
        raise RequestError(
            f"cannot resume: --out {folder.path} is a run of recipe {previous['recipe']}, not of auto. Choose "
            "another --out, or name that recipe."
        )


def check_finished(prepared: PreparedTraining) -> None:
    """Raises RequestError where the finished run is another than that asked for.

    On what device, in how many threads and with which versions it was made does not matter any more.
    """
    folder = RunFolder(prepared.request.out)
    names: Sequence[str] = MUST_MATCH
    previous = folder.read_json("run.json")
    if len(prepared.candidates) > 1:
        _check_raced(folder, previous)
        names = [name for name in MUST_MATCH if name in KNOWN_BEFORE]
    if not prepared.request.force:
        check_same_run({name: previous[name] for name in names if name in previous}, configuration(prepared))


def _end_halving(folder: RunFolder, clock: StageClock) -> None:
    """From now on run.json describes the chosen recipe's run, and holds the times of the race."""
    record = folder.read_json("run.json")
    if record["status"] == RACING:
        record = {name: value for name, value in record.items() if name not in OF_THE_FIRST}
        folder.write_json("run.json", record | {"status": "running", "stages": clock.stages})
        clock.stages.clear()


@dataclass(frozen=True, slots=True, eq=False)
class _Halving:
    """A running race: trains the trials, reports and records them."""

    folder: RunFolder | None
    prepared: PreparedTraining
    designs: Mapping[str, Design]
    loaders: Mapping[str, Loader]  # by augmentation

    def full_lengths(self) -> dict[str, int]:
        """Steps of each main phase in full, of the candidates that race.

        With a budget these are all that it pays for trying, and what it pays for if all of them run every round; or
        one, where it pays for no race.
        """
        task, request = self.prepared.design.task, self.prepared.request
        per_epoch = {name: epoch_length(design.recipe, design.task) for name, design in self.designs.items()}
        trials = ROUNDS * len(hidden_labels(task).folds)
        labels_alone_first = sorted(self.designs, key=lambda name: name != BASELINE)
        if self.prepared.budget is None or not trials:
            lengths = {
                name: request.steps or (request.epochs or default_epochs(steps)) * steps
                for name, steps in per_epoch.items()
            }
            if trials:
                warn_if_long(
                    self.prepared, [self._job(name, task, lengths[name]) for name in labels_alone_first], trials
                )
            return lengths
        jobs = [self._job(name, self.designs[name].task, per_epoch[name]) for name in labels_alone_first]
        plan = plan_within(self.prepared.budget_left(2), jobs, trials=trials)
        raced = [labels_alone_first[place] for place in plan.places]
        return {name: plan.main_steps for name in self.designs if name in raced}

    def run(self, lengths: Mapping[str, int], trials: Sequence[Trial]) -> HalvingResult:
        """Runs all trials but these, which are on record."""
        task, raced = self.prepared.design.task, [name for name in self.designs if name in lengths]
        if len(raced) == 1:
            why = "by the order of the tables and without a race: the budget leaves too few steps for trials"
            return HalvingResult(raced[0], f"{raced[0]}, {why}")
        if left_out := [name for name in self.designs if name not in lengths]:
            self.prepared.request.reporter.say(f"race: too slow for this budget, so left out: {', '.join(left_out)}")
        if n_folds := len(hidden_labels(task).folds):
            shares = " and ".join(f"1/{round(1 / share)}" for share in ROUNDS)
            self.prepared.request.reporter.say(
                f"race: {', '.join(raced)}, each trained up to {n_folds * len(ROUNDS)} times ({shares} of "
                f"{_steps(lengths)}, with each of {n_folds} parts of the given labels hidden); the better half "
                "goes on"
            )

        keep = partial(self._keep, lengths)
        keep(trials)
        return successive_halving(
            raced,
            task,
            partial(self._train, lengths),
            run_already=trials,
            note=keep,
            say=lambda text: self.prepared.request.reporter.say(f"race, {text}"),
        )

    def _train(self, lengths: Mapping[str, int], name: str, task: Task, share: float) -> torch.Tensor:
        """Classes that a recipe gives to all examples; none where its loss is not finite."""
        jobs = {other: self._job(other, task, max(1, round(share * lengths[other]))) for other in lengths}
        job = jobs[name]
        if name == BASELINE:  # phases before a main one have a least length: labels alone get as long as any other
            longest = max(sum(other.lengths.steps) for other in jobs.values())
            job = replace(job, lengths=replace(job.lengths, steps=(longest,)))
        try:
            trained = loop.run(job)
            found = collect_outputs(trained.method.deployed(trained.net), job.loader)
        except NonFiniteLossError:
            if name == BASELINE:
                raise
            return torch.full((task.n,), UNLABELED)
        # The first process decides: devices add in other orders.
        classes_N: torch.Tensor = self.prepared.group.first(found["class"].argmax(1).cpu())
        return classes_N

    def _job(self, name: str, task: Task, main_steps: int) -> Job:
        """A training without checkpoints, history and monitor."""
        design = self.designs[name]
        return Job(
            label="race",
            recipe=design.recipe,
            lengths=lengths_of(design.recipe, epoch_length(design.recipe, task), main_steps),
            task=task,
            loader=self.loaders[design.augment],
            build=partial(design.network, design.recipe.heads(task.n_classes), self.prepared.request.seed),
            fabric=self.prepared.fabric,
            compiled=self.prepared.request.compile,
            clock=self.prepared.clock,
        )

    def _keep(self, lengths: Mapping[str, int], trials: Sequence[Trial]) -> None:
        if self.folder is not None:
            record = {"lengths": dict(lengths), "heats": [asdict(trial) for trial in trials]}
            seconds = round(time.perf_counter() - self.prepared.request.began, 3)
            self.folder.write_json(RACE, record | {"seconds": seconds, "stages": self.prepared.clock.stages})


def _steps(lengths: Mapping[str, int]) -> str:
    """The full length, which differs where recipes have epochs of their own."""
    least, most = min(lengths.values()), max(lengths.values())
    return counted(least, "step") if least == most else f"{least:,} to {most:,} steps"
