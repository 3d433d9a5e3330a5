"""`train`: reads, decides, trains the baseline and the recipe, writes the run folder.

The truth is read here and given to `evaluation` alone; training sees a Task, which has no field for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from labelprop.core.callbacks import Callbacks
from labelprop.core.clock import StageClock
from labelprop.core.distributed import Group, launch, leave
from labelprop.core.errors import RequestError, WorkError
from labelprop.core.eta import expecting
from labelprop.core.files import write_atomically
from labelprop.core.progress import Reporter, Silent, noting
from labelprop.core.ranks import started_together
from labelprop.core.run_folder import RunFolder
from labelprop.core.tensors import for_saving
from labelprop.core.text import counted
from labelprop.data.views.batches import Loader
from labelprop.data.views.views import Views
from labelprop.evaluation.monitor import Monitor
from labelprop.evaluation.snapshots import FOLDER, VectorWriter, choose_followed
from labelprop.methods.base import Method
from labelprop.methods.phases import MIN_STEPS
from labelprop.methods.settings import FIRST_SHARE
from labelprop.runs.closing import closing_seconds
from labelprop.runs.design import labels_only, resolve_device
from labelprop.runs.inputs import Inputs, truth_of
from labelprop.runs.outlook import warn_if_long
from labelprop.runs.prepare import PreparedTraining, prepare_training
from labelprop.runs.race import check_finished, decide_by_halving
from labelprop.runs.record import check_same_phases, check_same_run, configuration
from labelprop.runs.requests import TrainRequest
from labelprop.runs.trained import Trained, write_trained
from labelprop.training import loop
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.job import Job, WorkMeter, make_fabric, resolve_precision
from labelprop.training.lengths import Plan, default_epochs, epoch_length, lengths_of, plan_within

BASELINE = "baseline"  # the label of that training, and its folder among the checkpoints
FIRST_WEIGHTS = "module.safetensors"
OUT_OF_MEMORY = (
    "the GPU is out of memory: lower the batch (--set batch_size=...), use a smaller --image-size or --model, "
    "or --device cpu. What was finished is saved."
)


def train(request: TrainRequest) -> Path:
    """Trains as requested and returns the run folder. Raises LabelpropError.

    With several devices this starts a process for each and waits for them; where it is itself one of several that
    were started together, it does its part, and the first of them writes the run folder.
    """
    if request.devices > 1 and not started_together():
        return _train_on_devices(request)
    device = resolve_device(request.device)
    fabric = make_fabric(device, request.deterministic, resolve_precision(request.precision, device))
    group = Group(fabric.global_rank, fabric.world_size)
    if not group.leads:
        request = replace(request, reporter=Silent())
    try:
        if group.first(_is_finished(request) if group.leads else None):
            check_finished(prepare_training(replace(request, reporter=Silent()), device, fabric))
            request.reporter.say(f"{request.out} is finished already; nothing to resume.")
        else:
            if request.resume and not request.out.exists():
                request.reporter.say(f"there is no run {request.out} to resume: a new one starts")
            prepared = prepare_training(request, device, fabric)
            opened = closing(RunFolder.open(request.out, request.existing)) if group.leads else nullcontext()
            with opened as folder:
                _keep_first_weights(folder, prepared)
                if prepared.candidates:
                    prepared = decide_by_halving(folder, prepared)
                _train_in(folder, prepared)
        group.first(None)  # all wait until the files are written
    except torch.OutOfMemoryError as error:
        raise WorkError(OUT_OF_MEMORY) from error
    finally:
        leave()
    return request.out


def _keep_first_weights(folder: RunFolder | None, prepared: PreparedTraining) -> None:
    """A module from Python starts from the weights it came with, which no seed draws: a resumed run reads them."""
    modules = [design.own.module for design in (prepared.design, *prepared.candidates) if design.own is not None]
    if not modules:
        return
    first: dict[str, torch.Tensor] | None = None
    if folder is not None:
        kept = folder.checkpoints / FIRST_WEIGHTS
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            tensors = for_saving(modules[0].state_dict())
            write_atomically(kept, lambda partial: save_file(tensors, partial))
        first = load_file(kept)
    first = prepared.group.first(first)
    assert first is not None
    for module in modules:
        if _shapes(module.state_dict()) != _shapes(first):
            raise RequestError(
                f"cannot resume, this is another run: the weights of model={type(module).__qualname__} have other "
                "names or shapes than those that the run began with. Give the module that it was."
            )
        module.load_state_dict(first)


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _train_on_devices(request: TrainRequest) -> Path:
    if request.device != "cpu" and torch.cuda.is_available() and torch.cuda.device_count() < request.devices:
        raise RequestError(f"--devices {request.devices}: this machine has {torch.cuda.device_count()} CUDA devices.")
    if request.callbacks.objects:
        raise RequestError(
            "callbacks are objects of this process, and --devices trains in others: start the script with torchrun, "
            "which calls those of the first process."
        )
    launch(request.devices, _train_as_one_of_several, replace(request, reporter=Silent()), reporter=request.reporter)
    return request.out


def _train_as_one_of_several(request: TrainRequest, reporter: Reporter) -> None:
    with noting(reporter) as noted:
        train(replace(request, reporter=noted))


def _is_finished(request: TrainRequest) -> bool:
    """Whether there is nothing left to do."""
    return request.existing == "resume" and request.out.exists() and RunFolder(request.out).finished


def _train_in(folder: RunFolder | None, prepared: PreparedTraining) -> None:
    """Trains; the first of several processes has the folder, and alone goes on to write results."""
    request, group = prepared.request, prepared.group
    previous = group.first(None if folder is None else folder.read_json("run.json"))
    described = configuration(prepared)
    if previous and not request.force:
        check_same_run(previous, described)
        described["command"] = previous.get("command", request.command)  # the whole one: --resume needs no more
    described["warnings"] = [*previous.get("warnings", ()), *described["warnings"]]
    clock = StageClock(previous.get("stages"))
    for name, usage in prepared.clock.stages.items():
        clock.add(name, usage)
    jobs = _jobs(prepared, clock, folder)
    plan = Plan(previous["main_steps"]) if "main_steps" in previous else group.first(_plan(prepared, jobs))
    steps, per_epoch = plan.main_steps, jobs[-1].lengths.steps_per_epoch
    jobs = [replace(job, lengths=lengths_of(job.recipe, per_epoch, steps)) for job in jobs]
    _announce(request.reporter, jobs)
    if prepared.budget is None and not prepared.candidates and "main_steps" not in previous:
        plan = replace(plan, seconds=warn_if_long(prepared, jobs))
    record = described | {
        "status": "running",
        "main_steps": steps,
        "steps_per_epoch": per_epoch,
        "phases": {
            job.label: {phase.name: steps for phase, steps in zip(job.recipe.phases, job.lengths.steps, strict=True)}
            for job in jobs
        },
    }
    check_same_phases(previous, record)
    if folder is not None:
        folder.write_json("run.json", record | {"stages": clock.stages})
    work = sum(job.passes(job.lengths.steps) for job in jobs)
    closing_up = closing_seconds(prepared.inputs.samples, request.report)
    meter = WorkMeter(work, request.reporter, closing_up)
    with expecting(plan.seconds):
        trained = [loop.run(replace(job, meter=meter)) for job in jobs]
    if folder is not None:
        write_trained(Trained(prepared, folder, trained, jobs[-1].loader, clock, record))


def _jobs(prepared: PreparedTraining, clock: StageClock, folder: RunFolder | None) -> list[Job]:
    """The baseline (labels only, the same network), then the recipe; lengths are filled in later."""
    request, design = prepared.request, prepared.design
    views = Views(design.preprocessing, design.augment)
    with clock.stage("read"):
        loader = Loader.over(design.embedded.content, views, prepared.device)
    lengths = lengths_of(design.recipe, epoch_length(design.recipe, design.task), 0)
    baseline_monitor, monitor = _monitors(prepared.inputs, folder, request.seed)
    trainings = [(design.recipe.name, design.recipe, monitor)]
    if request.baselines and design.recipe.name != "supervised":
        trainings.insert(0, (BASELINE, labels_only(design.recipe, FIRST_SHARE), baseline_monitor))
    return [
        Job(
            label=label,
            recipe=recipe,
            lengths=lengths,
            task=design.task,
            loader=loader,
            build=partial(design.network, recipe.heads(design.task.n_classes), request.seed),
            fabric=prepared.fabric,
            compiled=request.compile,
            clock=clock,
            checkpoints=None if folder is None else Checkpoints(folder.checkpoints / label),
            history=folder,
            monitor=monitor,
            callbacks=request.callbacks if prepared.group.leads else Callbacks(),
        )
        for label, recipe, monitor in trainings
    ]


def _monitors(inputs: Inputs, folder: RunFolder | None, seed: int) -> tuple[Monitor | None, Monitor | None]:
    """Monitors of the baseline and of the recipe; only the latter keeps embeddings. None without a truth."""
    truth = truth_of(inputs)
    if truth is None:
        return None, None
    given_N, n_classes = inputs.given.labels_N, len(inputs.given.classes)
    keeper = None
    if folder is not None:
        keeper = VectorWriter(
            folder.path / FOLDER, choose_followed(truth.with_given(given_N), given_N, n_classes, seed)
        )
    return Monitor(truth, given_N, n_classes), Monitor(truth, given_N, n_classes, keeper)


def _plan(prepared: PreparedTraining, jobs: list[Job]) -> Plan:
    request, per_epoch = prepared.request, jobs[-1].lengths.steps_per_epoch
    if prepared.budget is not None:
        least = prepared.least_steps
        plan = plan_within(prepared.budget_left(len(jobs)), jobs, least=least)
        if plan.main_steps == least:
            request.reporter.say(
                f"the race took longer than expected: training takes {counted(least, 'step')} all the same, as many "
                f"as {jobs[-1].label} was tried for, and may end after the budget"
            )
        return plan
    return Plan(request.steps or (request.epochs or default_epochs(per_epoch)) * per_epoch)


def _announce(reporter: Reporter, jobs: list[Job]) -> None:
    for job in jobs:
        phases = list(zip(job.recipe.phases, job.lengths.steps, strict=True))
        named = " + ".join(f"{steps:,} ({phase.name})" for phase, steps in phases)
        shortest = [steps for phase, steps in phases if phase.share != 1]
        least = f" (phases beside the main one have at least {MIN_STEPS})" if MIN_STEPS in shortest else ""
        of = " of the given labels alone, to compare" if job.label == BASELINE else ""
        reporter.say(f"{job.label}{of}: {named} steps, {job.lengths.steps_per_epoch:,} an epoch{least}")
        if sum(job.lengths.steps) < MIN_STEPS:
            reporter.say(f"{job.label}: a network learns little in so few steps; give more --epochs or --steps")
        for index, phase in enumerate(job.recipe.phases):
            parts = [part for part in phase.method.modules() if isinstance(part, Method)]
            if any(part.first_epoch >= job.lengths.epochs(index) for part in parts):
                reporter.say(f"{phase.name} learns from the labels alone in its only epoch; give more --epochs")
