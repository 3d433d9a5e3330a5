"""`train`: reads, decides, trains the baseline and the recipe, writes the run folder.

The truth is read here and given to `evaluation` alone; training sees a Task, which has no field for it.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import labelprop
from labelprop.api_results import TrainResults, write_train_results
from labelprop.clock import StageClock
from labelprop.data.batches import Loader
from labelprop.data.preprocessing import ImageFormat
from labelprop.data.views import Views
from labelprop.design import Design, Features, decide, labels_only, read_features, resolve_device
from labelprop.errors import RequestError
from labelprop.evaluation.monitor import Monitor
from labelprop.evaluation.truth import HeldBackTruth
from labelprop.export import Classifier
from labelprop.inputs import Inputs, ReadOptions, labels_digest, read_inputs, tell
from labelprop.progress import Reporter, Silent, duration
from labelprop.run_folder import Existing, RunFolder
from labelprop.training import loop, recipes
from labelprop.training.checkpoint import Checkpoints
from labelprop.training.plan import default_epochs, epoch_length, main_steps_within, parse_budget, plan_steps

CLOSING_SECONDS = 10.0  # set aside under --budget for the map and the page
IDENTITY = (
    *("recipe", "settings", "model", "augment", "seed", "epochs", "budget", "baselines", "deterministic"),
    *("data", "labels", "backbone", "init", "device", "threads", "versions"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """Everything `labelprop train` can be asked for; defaults are the command's."""

    data: Any
    out: Path
    labels: Any = None
    recipe: str = "dlp"
    model: str = "auto"
    test: Any = None
    truth: Any = None
    seed: int = 0
    device: str = "auto"
    budget: str | float | None = None
    epochs: int | None = None
    augment: str = "auto"
    backbone: Any = None
    init: Path | None = None
    baselines: bool = True
    deterministic: bool = False
    existing: Existing = "refuse"
    force: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    read: ReadOptions = field(default_factory=ReadOptions)
    command: str = ""
    reporter: Reporter = field(default_factory=Silent)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """All that was read and decided, before the run folder is touched."""

    inputs: Inputs
    test: Inputs | None
    test_features: Features | None
    design: Design
    device: torch.device
    clock: StageClock
    budget: float | None
    began: float


def train(request: TrainRequest) -> Path:
    """Trains as requested and returns the run folder. Raises LabelpropError."""
    RunFolder.check(request.out, request.existing)
    if request.existing == "resume" and request.out.exists() and RunFolder(request.out).finished:
        request.reporter.say(f"{request.out} is finished already; nothing to resume.")
        return request.out
    prepared = _prepare(request)
    folder = RunFolder.open(request.out, request.existing)
    try:
        _train_in(folder, request, prepared)
    finally:
        folder.close()
    return folder.path


def _prepare(request: TrainRequest) -> Prepared:
    began, clock = time.perf_counter(), StageClock()
    recipes.build(request.recipe, request.settings)  # names are checked before anything is read
    budget = parse_budget(request.budget) if request.budget is not None else None
    if budget is not None:
        request.reporter.say(f"budget: {duration(budget)}")
    if request.epochs is not None and request.epochs < 1:
        raise RequestError(f"--epochs {request.epochs} must be at least 1.")
    if request.epochs is not None and budget is not None:
        raise RequestError("--epochs and --budget exclude each other; give one of them.")
    device = resolve_device(request.device)
    with clock.stage("read"):
        inputs = read_inputs(request.data, request.labels, request.truth, request.read, request.reporter)
        tell(inputs, request.reporter)
        features = read_features(inputs.samples, request.backbone, device, request.read.cache, request.reporter)
        test = _read_test(request, inputs)
        test_features = None
        if test is not None:
            test_features = read_features(
                test.samples, request.backbone, device, request.read.cache, request.reporter
            )
    design = decide(
        inputs,
        features,
        recipe=request.recipe,
        settings=request.settings,
        model=request.model,
        augment=request.augment,
        init=request.init,
        seed=request.seed,
        device=device,
        reporter=request.reporter,
    )
    return Prepared(inputs, test, test_features, design, device, clock, budget, began)


def _read_test(request: TrainRequest, inputs: Inputs) -> Inputs | None:
    """The test set, read in the image format of DATA."""
    if request.test is None:
        return None
    shape = inputs.samples.content.shape if inputs.samples.content is not None else ()
    image_format = ImageFormat(*shape) if inputs.samples.modality == "image" else None
    options = replace(request.read, label_col=request.read.label_col or request.read.truth_col, truth_col=None)
    test = read_inputs(request.test, None, None, options, request.reporter, image_format)
    if test.samples.modality != inputs.samples.modality:
        raise RequestError(
            f"--test holds {test.samples.modality}s but DATA holds {inputs.samples.modality}s; give data of one kind."
        )
    unknown = sorted(set(test.given.classes) - set(inputs.given.classes))
    request.reporter.say(f"test set {test.samples.name}: {int((test.given.labels_N >= 0).sum()):,} labeled")
    if unknown:
        request.reporter.say(
            f"warning: the test set has classes that no label names ({', '.join(unknown[:5])}); its examples of "
            "these count as wrong"
        )
    return test


def _train_in(folder: RunFolder, request: TrainRequest, prepared: Prepared) -> None:
    previous = folder.read_json("run.json")
    configuration = _configuration(request, prepared)
    if previous and not request.force:
        check_same_run(previous, configuration)
    clock = StageClock(previous.get("stages"))
    for name, usage in prepared.clock.stages.items():
        clock.add(name, usage)
    jobs = _jobs(request, prepared, clock, folder)
    main_steps = previous.get("main_steps") or _main_steps(request, prepared, jobs)
    jobs = [replace(job, plan=plan_steps(job.recipe, job.plan.steps_per_epoch, main_steps)) for job in jobs]
    _announce(request.reporter, jobs)
    record = configuration | {
        "status": "running",
        "main_steps": main_steps,
        "steps_per_epoch": jobs[-1].plan.steps_per_epoch,
        "phases": {
            job.label: {phase.name: steps for phase, steps in zip(job.recipe.phases, job.plan.steps, strict=True)}
            for job in jobs
        },
    }
    folder.write_json("run.json", record | {"stages": clock.stages})
    meter = loop.WorkMeter(sum(sum(job.plan.steps) for job in jobs), request.reporter)
    trained = [loop.run(replace(job, meter=meter)) for job in jobs]
    given, preprocessing = prepared.inputs.given, prepared.design.preprocessing
    deployed = [
        Classifier(found.method.deployed(found.net), preprocessing, given.classes).to(prepared.device)
        for found in trained
    ]
    write_train_results(
        TrainResults(
            folder=folder,
            inputs=prepared.inputs,
            design=prepared.design,
            test=prepared.test,
            test_features=prepared.test_features,
            trained=trained[-1],
            classifier=deployed[-1],
            baseline=deployed[0] if len(deployed) > 1 else None,
            loader=jobs[-1].loader,
            device=prepared.device,
            clock=clock,
            record=record,
            reporter=request.reporter,
        )
    )


def check_same_run(previous: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RequestError where a continued run would not be the run that was interrupted."""
    different = [key for key in IDENTITY if key in previous and previous[key] != now[key]]
    if different:
        said = "; ".join(_difference(key, previous[key], now[key]) for key in different)
        raise RequestError(
            f"cannot resume, this is another run: {said}. Repeat the original command with --resume, choose "
            "another --out, or add --force, after which the result need not equal an unbroken run's."
        )


def _difference(key: str, was: Any, now: Any) -> str:
    """'seed was 0 and is 1'; of a group of settings only those that differ."""
    if isinstance(was, dict) and isinstance(now, dict):
        names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
        return "; ".join(f"{key} {name} was {was.get(name)!r} and is {now.get(name)!r}" for name in names)
    return f"{key} was {was!r} and is {now!r}"


def _configuration(request: TrainRequest, prepared: Prepared) -> dict[str, Any]:
    """The head of run.json: what decides the result, and what a reader wants to know."""
    inputs, design, device = prepared.inputs, prepared.design, prepared.device
    return {
        "format": 1,
        "name": inputs.samples.name,
        "noun": inputs.noun,
        "command": request.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": design.recipe.name,
        "settings": dict(design.recipe.settings),
        "model": design.spec.to_json(),
        "augment": design.augment,
        "seed": request.seed,
        "epochs": request.epochs,
        "budget": prepared.budget,
        "baselines": request.baselines,
        "deterministic": request.deterministic,
        "device": "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "data": inputs.samples.digest,
        "labels": labels_digest(inputs.given),
        "backbone": dict(design.features.backbone) if design.features.backbone else None,
        "init": None if design.start is None else design.start.digest,
        "classes": list(inputs.given.classes),
        "columns": request.read.content_columns,
        "skipped": [{"id": skipped.id, "reason": skipped.reason} for skipped in inputs.samples.skipped],
    }


def versions() -> dict[str, str]:
    return {
        "labelprop": labelprop.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def _jobs(request: TrainRequest, prepared: Prepared, clock: StageClock, folder: RunFolder) -> list[loop.Job]:
    """The baseline (labels only, the same network), then the recipe; lengths are filled in later."""
    design, inputs = prepared.design, prepared.inputs
    fabric = loop.make_fabric(prepared.device, request.deterministic)
    loader = Loader.over(design.features.content, Views(design.preprocessing, design.augment), prepared.device)
    plan = plan_steps(design.recipe, epoch_length(design.recipe, design.task), 0)
    monitor = None
    if inputs.truth is not None:
        truth = HeldBackTruth.of(inputs.truth, inputs.given.classes, inputs.given.labels_N >= 0)
        monitor = Monitor(truth, inputs.given.labels_N, len(inputs.given.classes))
    trainings = [(design.recipe.name, design.recipe)]
    if request.baselines and design.recipe.name != "supervised":
        trainings.insert(0, ("baseline", labels_only(design.recipe, recipes.FIRST_SHARE)))
    return [
        loop.Job(
            label=label,
            recipe=recipe,
            plan=plan,
            task=design.task,
            loader=loader,
            build=partial(design.network, recipe.heads(design.task.n_classes), request.seed),
            fabric=fabric,
            meter=loop.WorkMeter(1),
            clock=clock,
            checkpoints=Checkpoints(folder.checkpoints / label),
            history=folder,
            monitor=monitor,
        )
        for label, recipe in trainings
    ]


def _main_steps(request: TrainRequest, prepared: Prepared, jobs: list[loop.Job]) -> int:
    per_epoch = jobs[-1].plan.steps_per_epoch
    if prepared.budget is not None:
        spent = time.perf_counter() - prepared.began
        return main_steps_within(prepared.budget, jobs, spent=spent, closing=CLOSING_SECONDS)
    return (request.epochs or default_epochs(per_epoch)) * per_epoch


def _announce(reporter: Reporter, jobs: list[loop.Job]) -> None:
    for job in jobs:
        named = " + ".join(
            f"{steps:,} ({phase.name})" for phase, steps in zip(job.recipe.phases, job.plan.steps, strict=True)
        )
        reporter.say(f"{job.label}: {named} steps, {job.plan.steps_per_epoch:,} an epoch")
