"""Decisions before a training begins; each choice is reported with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelprop.core.distributed import local_rank
from labelprop.core.errors import RequestError
from labelprop.core.ranks import started_together
from labelprop.core.text import counted
from labelprop.core.types import Task
from labelprop.data.contents import Content, TensorContent
from labelprop.data.samples import Samples, report_skipped
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views, choose_augment, preprocessing_for
from labelprop.methods.phases import Recipe
from labelprop.models.backbone import Backbone, weights_digest
from labelprop.models.choose import choose_model, parse_model
from labelprop.models.network import ModelSpec, Network, build
from labelprop.models.own import OWN, OwnModel
from labelprop.models.trunks.pretrained import load_pretrained, options_of
from labelprop.runs.classifier import StartTrunk, load_trunk
from labelprop.runs.embed import Foretold, embed_samples
from labelprop.runs.inputs import Inputs
from labelprop.runs.requests import FROZEN, Reading, TrainRequest
from labelprop.training import recipes

SHARED_SETTINGS = ("batch_size", "lr", "weight_decay", "l2_feature")


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The content of the examples: as it was read, or embedded by a frozen backbone, and why, where that was chosen.

    `samples` could be read.
    """

    content: Content
    backbone: Backbone | None
    samples: Samples
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """All decisions about one training."""

    recipe: Recipe
    spec: ModelSpec
    preprocessing: Preprocessing
    augment: str
    embedded: Embedded
    task: Task
    start: StartTrunk | None = None
    own: OwnModel | None = None  # a module from Python
    chosen: Mapping[str, str] = field(default_factory=dict)  # what was not asked for by name, and why

    def network(self, heads: Mapping[str, int], seed: int) -> Network:
        """The network to train, with these heads: new, or on the trunk of another run or on the caller's module."""
        spec, given = replace(self.spec, heads=heads), self.start or self.own
        return build(spec, seed) if given is None else given.build(spec, seed)


def resolve_device(name: str) -> torch.device:
    """'auto' is CUDA where there is one; of processes started together each has its own."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise RequestError("--device cuda: torch finds no CUDA device here; use --device cpu.")
    return torch.device("cuda", local_rank()) if name == "cuda" and started_together() else torch.device(name)


def embed_content(
    samples: Samples,
    backbone: Backbone | None,
    device: torch.device,
    reading: Reading,
    labels: Sequence[str | None] | None = None,
) -> Embedded:
    """Applies the backbone, if there is one; images that turn out to be unreadable are left out, and said.

    `labels` are texts by example, where more is known than DATA say. Raises DataError where no image can be read, and
    with --strict where one cannot.
    """
    if backbone is None:
        assert samples.content is not None  # see `backbones.open_backbone`
        return Embedded(samples.content, None, samples)
    noun = samples.modality

    def began(left: int) -> None:
        known = "" if left == len(samples) else f"; the vectors of {len(samples) - left:,} are in the cache"
        reading.reporter.say(f"embedding {counted(left, noun)} with {backbone.name}{known}")

    vectors_ND, failures, digest = embed_samples(
        samples,
        backbone,
        device=device,
        began=began,
        progress=Foretold(reading.reporter, f"embedding {noun}s"),
        cache=Path(reading.cache) if reading.cache else None,
    )
    if said := backbone.said():
        reading.reporter.say(said)
    left = leave_out(samples, failures, reading, labels)
    content = TensorContent(torch.from_numpy(vectors_ND), torch.float32)
    return Embedded(content, backbone, replace(left, digest=digest))


def leave_out(
    samples: Samples, failures: Mapping[int, str], reading: Reading, labels: Sequence[str | None] | None = None
) -> Samples:
    """Without the examples that a backbone could not read, which is said or, with --strict, refused."""
    if not failures:
        return samples
    left = samples.without(failures, samples.given if labels is None else labels)
    report_skipped(left, strict=reading.strict, warn=reading.reporter.say, already=len(samples.skipped))
    return left


def decide(
    request: TrainRequest, inputs: Inputs, embedded: Embedded, start: StartTrunk | None, device: torch.device
) -> Design:
    """Recipe, network, views and preprocessing for these inputs."""
    given, reporter, augment, model = inputs.given, request.reporter, request.augment, request.model
    chosen = recipes.build(request.recipe, request.settings)
    if (given.labels_N >= 0).all() and any(phase.needs.unlabeled.size for phase in chosen.phases):
        reporter.say("every example is labeled: there is nothing to propagate to, so this trains recipe supervised")
        chosen = labels_only(chosen)
    shape, reasons = tuple(embedded.content.shape), {"backbone": embedded.why}
    if augment == "auto":
        compared = embedded.backbone is not None and any(phase.needs.compares_views for phase in chosen.phases)
        augment, reasons["augment"] = choose_augment(shape, compared)
        reporter.say(f"augmentation: {augment} ({reasons['augment']})")
    if start is not None:
        check_start(start, shape, model)
        model = start.spec.name
    elif not all(phase.trains_trunk for phase in chosen.phases):
        raise RequestError(f"recipe {chosen.name} trains on a finished network; name its run with --init.")
    if start is None:
        preprocessing = preprocessing_for(augment, Preprocessing.measure(embedded.content))
    else:
        preprocessing = start.preprocessing
    Views(preprocessing, augment)  # refuses what these data cannot have
    recipes.check_serves(chosen, preprocessing.seen_shape)
    own = None if isinstance(model, str) else OwnModel.of(model, preprocessing.seen_shape, request.seed)
    if own is not None:
        name, options = OWN, own.options
        reporter.say(f"model: {options['class']}, the module that was given")
    else:
        if model == "auto":
            left = embedded.why if embedded.backbone is None else ""
            model, reasons["model"], said = choose_network(shape, device, left)
            reporter.say(said)
        name, options = parse_model(model)
    spec = ModelSpec(
        name=name,
        input_shape=preprocessing.seen_shape,
        heads=chosen.heads(len(given.classes)),
        options=options if start is None else start.spec.options,
        l2_feature=chosen.l2_feature,
    )
    task = Task(
        labels_N=torch.from_numpy(given.labels_N),
        weights_N=torch.from_numpy(given.weights_N),
        n_classes=len(given.classes),
        seed=request.seed,
    )
    told = {name: why for name, why in reasons.items() if why}
    design = Design(chosen, spec, preprocessing, augment, embedded, task, start, own, told)
    design.network(spec.heads, request.seed)  # refuses what cannot be built before the run folder exists
    return design


def choose_network(shape: tuple[int, ...], device: torch.device, left: str = "") -> tuple[str, str, str]:
    """The network for examples of a shape, the reason, and both in a sentence, with why no backbone sees them."""
    name, why = choose_model("image" if len(shape) == 3 else "vector", shape, device)
    return name, why, f"model: {name} ({why}{f'; {left}' if left else ''})"


def find_start(request: TrainRequest, embedded: Embedded) -> StartTrunk | None:
    """The network that training starts from: a run's, or a pretrained model that is to learn; None for a new one."""
    if request.tune != FROZEN:
        return _pretrained(request, embedded)
    return None if request.init is None else load_trunk(request.init, embedded.backbone)


def check_start(start: StartTrunk, shape: tuple[int, ...], model: Any) -> None:
    """Raises RequestError where examples of this shape do not fit, or another network was asked for."""
    if model != "auto":
        named = f"--model {model}" if isinstance(model, str) else "--model"
        raise RequestError(f"{named} excludes --init and --tune: the network is the one named there.")
    if tuple(start.preprocessing.shape) != shape:
        raise RequestError(
            f"the network of --init takes examples of shape {tuple(start.preprocessing.shape)}, these have {shape}; "
            "--image-size brings images to its size."
        )


def _pretrained(request: TrainRequest, embedded: Embedded) -> StartTrunk:
    shape = tuple(embedded.content.shape)
    trunk = load_pretrained(request.backbone, request.tune, request.seed)
    learned = sum(p.numel() for p in trunk.parameters()) - sum(p.numel() for p in trunk.fixed())
    every = sum(p.numel() for p in trunk.parameters())
    request.reporter.say(
        f"model: {request.backbone}, of whose {every:,} weights {learned:,} learn (--tune {request.tune})"
    )
    image = trunk.image_config
    channels = [slice(None)] if shape[0] == 1 else [slice(at, at + 1) for at in range(shape[0])]
    mean, std = (tuple(float(np.mean(values[part])) for part in channels) for values in (image.mean, image.std))
    return StartTrunk(
        spec=ModelSpec("pretrained", shape, {}, options_of(trunk)),
        preprocessing=Preprocessing("image", shape, mean, std),
        tensors=trunk.state_dict(),
        digest=weights_digest(trunk),
    )


def labels_only(recipe: Recipe, share: float = 1.0) -> Recipe:
    """Recipe supervised with the optimizer settings of `recipe`, so that labels are all that differs.

    `share` is its length in units of the recipe's main phase. As a baseline it has the length of DLP's stage 1, as in
    the paper: trained for longer on a few labels alone, networks get worse, and the comparison would flatter the
    recipe.
    """
    kept = {name: recipe.settings[name] for name in SHARED_SETTINGS if name in recipe.settings}
    found = recipes.build("supervised", kept)
    return replace(found, phases=tuple(replace(phase, share=share) for phase in found.phases))
