"""Reads and decides all that a training needs, before the run folder is touched."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import torch
from lightning_fabric import Fabric

from labelprop.core.clock import StageClock
from labelprop.core.distributed import Group
from labelprop.core.errors import DataError, RequestError
from labelprop.core.kinds import Kinds
from labelprop.core.progress import Bounded, Reporter, Silent, reporting_to
from labelprop.core.recipe_entries import AUTO
from labelprop.core.run_folder import RunFolder
from labelprop.core.text import duration, parse_duration
from labelprop.data.images.pixels import ForBackbone, ImageFormat
from labelprop.data.images.unchecked import UncheckedImages
from labelprop.data.labels.join import NoLabelsError
from labelprop.data.views.batches import check_shared_out
from labelprop.evaluation.monitor import PASSES as MEASURED_PASSES
from labelprop.methods.phases import Recipe
from labelprop.models.backbone import Backbone
from labelprop.propagators.cost.forecast import forecast
from labelprop.propagators.cost.stages import Size
from labelprop.runs import automatic
from labelprop.runs.backbones import features_of, open_backbone, wanted_by, with_runs
from labelprop.runs.classifier import model_description, own_backbone
from labelprop.runs.closing import closing_seconds, compares_raw
from labelprop.runs.design import Design, Embedded, decide, embed_content, find_start
from labelprop.runs.inputs import Inputs, read_inputs, say_counts
from labelprop.runs.requests import FROZEN, TrainRequest
from labelprop.training import halving, recipes
from labelprop.training.lengths import RESERVE, Budget, too_short

SINCE_0_1_0 = ("class_share", "preconditioner")  # settings of recipes; None is what there was before
READING_SHARE = 2.0  # of the seconds of reading: what a run is advised that could not even read in its budget


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTraining:
    """All that was read and decided for a request, before the run folder is touched."""

    request: TrainRequest
    inputs: Inputs
    test: Inputs | None
    test_embedded: Embedded | None
    design: Design
    candidates: tuple[Design, ...]  # that `auto` chooses from
    device: torch.device
    fabric: Fabric
    clock: StageClock
    budget: float | None
    least_steps: int = 0  # of the main phase, whatever the budget: under `--recipe auto` those of the longest trial

    @property
    def embedded(self) -> Embedded:
        return self.design.embedded

    @property
    def group(self) -> Group:
        return Group(self.fabric.global_rank, self.fabric.world_size)

    def budget_left(self, trainings: int) -> Budget:
        """The budget, with what is spent by now and what follows so many trainings: passes, comparisons, the page."""
        assert self.budget is not None
        samples, known = self.inputs.samples, self.inputs.truth is not None
        tests = 0.0 if self.test is None else len(self.test.samples) / len(samples)
        passes = 1 + trainings * (1 + tests + (MEASURED_PASSES if known else 0))
        closing = closing_seconds(samples, self.request.report)
        if known and trainings > 1:
            closing += self._raw_propagation_seconds()
        return Budget(self.budget, time.perf_counter() - self.request.began, closing, passes)

    def _raw_propagation_seconds(self) -> float:
        """Of the propagation on the examples as they are, which a training is compared with."""
        content, given = self.design.embedded.content, self.inputs.given
        size = Size(
            n=len(content),
            d=math.prod(content.shape),
            n_classes=len(given.classes),
            n_seeds=int((given.labels_N >= 0).sum()),
        )
        return forecast("diffusion", {}, size).fit_seconds if compares_raw(content) else 0.0


def prepare_training(request: TrainRequest, device: torch.device, fabric: Fabric) -> PreparedTraining:
    clock, request = StageClock(), _as_it_began(request)
    budget = _check(request, fabric.world_size)
    reading = request if budget is None or request.resume else replace(request, reporter=_bounded(request, budget))
    with clock.stage("read"), reporting_to(reading.reporter):
        inputs, choice = _read_data(reading, device)
        test, test_embedded = _read_test(reading, inputs), None  # what is wrong with it is found before the work
        backbone = open_backbone(inputs.samples, choice.backbone, reading.reporter, request.seed)
        inputs, embedded = _embedded(inputs, backbone, device, reading)
        embedded = replace(embedded, why=choice.why)
        if test is not None:
            test, test_embedded = _embedded(test, embedded.backbone, device, reading)
    names: tuple[str | Recipe, ...] = (request.recipe,)
    if request.recipe == AUTO:
        names = halving.candidates(_kind(inputs, embedded), len(inputs.samples))
    start = find_start(request, embedded)
    first = decide(replace(request, recipe=names[0]), inputs, embedded, start, device)
    quiet = replace(
        request, reporter=Silent()
    )  # but for views, which are said of the chosen one, what was said holds
    designs = (first, *(decide(replace(quiet, recipe=name), inputs, embedded, start, device) for name in names[1:]))
    candidates = designs if request.recipe == AUTO else ()
    return PreparedTraining(
        request, inputs, test, test_embedded, designs[0], candidates, device, fabric, clock, budget
    )


def _kind(inputs: Inputs, embedded: Embedded) -> str:
    """What the network sees, as `halving.CANDIDATES` names it."""
    if len(embedded.content.shape) == 3:
        return "image"
    return "numbers" if embedded.backbone is None and inputs.samples.features else "embedding"


def _as_it_began(request: TrainRequest) -> TrainRequest:
    """A run that is resumed goes on without settings that its recipe has got since it began, where it can."""
    begun = RunFolder(request.out).read_json("run.json") if request.resume else {}
    if not isinstance(request.recipe, str) or request.recipe == AUTO or begun.get("recipe") != request.recipe:
        return request
    newer = {*SINCE_0_1_0} & recipes.build(request.recipe, {}).settings.keys() - begun["settings"].keys()
    return replace(request, settings={**dict.fromkeys(sorted(newer)), **request.settings})


def _check(request: TrainRequest, n_processes: int) -> float | None:
    """Refuses settings before anything is read; returns the budget in seconds, if there is one."""
    if request.recipe != AUTO:
        for phase in recipes.build(request.recipe, request.settings).phases:
            needs = phase.needs
            check_shared_out(needs.labeled.size + needs.unlabeled.size, n_processes)
    budget = parse_duration(request.budget, "--budget") if request.budget is not None else None
    if budget is not None:
        request.reporter.say(f"budget: {duration(budget)}")
    return budget


def _bounded(request: TrainRequest, budget: float) -> Reporter:
    """The reporter of the request, which refuses a budget that reading alone would use up."""

    def foresee(left: float) -> None:
        needed = time.perf_counter() - request.began + left
        if needed > budget * (1 - RESERVE):
            raise too_short(budget, READING_SHARE * needed)

    return Bounded(request.reporter, foresee)


def _read_data(request: TrainRequest, device: torch.device) -> tuple[Inputs, automatic.Choice]:
    """DATA, and what they are to be embedded by."""
    named = _backbone(request, device) if request.tune == FROZEN else None
    chooses = named is None and request.tune == FROZEN
    image_format, features = wanted_by(named, request.image_size)
    if request.init is not None:
        features = features_of(RunFolder(request.init))
    inputs = read_inputs(request, automatic.read_as(request, device) if chooses else image_format, features)
    if request.init is not None and named is None:
        kind = model_description(RunFolder(request.init))["preprocessing"]["kind"]
        takes = Kinds(f"the network in {request.init}", (kind,), "start from a run on data of one kind with these")
        takes.check(inputs.samples.name, inputs.samples.modality)
    if not inputs.samples.features:  # an array goes by position, in the order of these names
        inputs = replace(inputs, samples=replace(inputs.samples, features=features))
    if request.only_labeled:
        inputs = inputs.only_labeled()
    say_counts(inputs, request.reporter)
    if request.tune != FROZEN and inputs.samples.modality != "image":
        raise RequestError(
            f"--tune {request.tune} trains an image model on images, and these are {inputs.samples.modality}s; "
            "leave it out."
        )
    choice = automatic.choose(request, inputs.samples, device) if chooses else automatic.Choice(named)
    if choice.backbone is not None and choice.why:
        request.reporter.say(choice.why)
    return inputs, choice


def _embedded(
    inputs: Inputs, backbone: Backbone | None, device: torch.device, request: TrainRequest
) -> tuple[Inputs, Embedded]:
    """What the network sees, of the examples that can be read."""
    embedded = embed_content(inputs.samples, backbone, device, request, inputs.label_texts)
    return inputs.only_read(embedded.samples, request.reporter), embedded


def _backbone(request: TrainRequest, device: torch.device) -> Any:
    """The one that was asked for, else that of the run to start from, which saw images of a certain size."""
    if request.backbone is not None or request.init is None:
        return with_runs(request.backbone, device, request.image_size)
    description = model_description(RunFolder(request.init))
    size = (description.get("backbone") or {}).get("image_size")
    return with_runs(own_backbone(request.init, description), device, request.image_size or size)


def _read_test(request: TrainRequest, inputs: Inputs) -> Inputs | None:
    """The test set, read in the image format of DATA."""
    if request.test is None:
        return None
    content = inputs.samples.content
    image_format: ImageFormat | ForBackbone | None = None
    if content is not None and inputs.samples.modality == "image":
        image_format = ImageFormat(*content.shape)
        if isinstance(content, UncheckedImages):
            image_format = ForBackbone(image_format, content.scaling)
    label_col = request.label_col or request.truth_col
    asked = replace(request, data=request.test, labels=None, truth=None, label_col=label_col, truth_col=None)
    try:
        test = read_inputs(asked, image_format, inputs.samples.features)
    except NoLabelsError as error:
        raise DataError(
            "--test has no labels to score by: give an .npz with X and y, a table with a column label, or a folder "
            "with a sub-folder for each class."
        ) from error
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
