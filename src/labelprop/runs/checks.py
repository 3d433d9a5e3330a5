"""What a request has wrong that can be known before torch is loaded, which takes seconds: paths, names, lengths.

Each verb's check is called with its request before the verb's work is imported (`runs.request.from_names`). Raises
RequestError.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from labelprop.core import registry
from labelprop.core.bundled import BACKBONES, BUNDLED, find_weights, is_bundled
from labelprop.core.errors import RequestError, UnknownNameError, nearest
from labelprop.core.ranks import leads
from labelprop.core.recipe_entries import AUTO
from labelprop.core.run_folder import RunFolder
from labelprop.core.text import parse_duration, short_repr
from labelprop.data.find_source import source_of
from labelprop.data.labels.label_files import check_files, label_files
from labelprop.data.labels.options import LabelOptions
from labelprop.data.source import as_path
from labelprop.data.tables.decoding import check_encoding
from labelprop.runs.requests import (
    FROZEN,
    TUNES,
    Classifying,
    EmbedRequest,
    NewRun,
    PropagateRequest,
    Reading,
    TrainRequest,
)

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bf16")


def check_propagation(request: PropagateRequest) -> None:
    """Of `propagate`."""
    known = registry.propagator_flags(request.method)
    for name in request.parameters:
        if name not in known:
            others = [other for other in registry.PROPAGATORS if name in registry.propagator_flags(other)]
            if others:
                raise RequestError(
                    f"{name} is no parameter of method {request.method}; it is one of {', '.join(others)}: name one "
                    f"of these as method. {request.method} has {', '.join(known)}."
                )
            raise UnknownNameError(f"parameter of {request.method}", name, known)
    _check_backbone(request.backbone)
    _check_new_run(request)


def check_training(request: TrainRequest) -> None:
    """Of `train`."""
    if isinstance(request.recipe, str) and request.recipe != AUTO:
        registry.lookup("recipes", request.recipe)
    elif request.recipe != AUTO:
        _check_own_recipe(request.recipe)
    if request.recipe == AUTO and request.settings:
        raise RequestError("recipe auto has no settings; name the recipe that they belong to.")
    if isinstance(request.model, str) and request.model != "auto":
        registry.lookup("models", request.model.partition("(")[0].strip())
    _check_word("--augment", request.augment, ("auto", *registry.AUGMENTS))
    _check_word("--precision", request.precision, PRECISIONS)
    if request.devices < 1:
        raise RequestError(f"--devices {request.devices} must be at least 1.")
    _check_lengths(request)
    _check_start(request)
    _check_backbone(request.backbone)
    _check_new_run(request)
    if request.test is not None:
        source_of(request.test)


def _check_own_recipe(recipe: Any) -> None:
    from labelprop.methods.phases import Recipe  # what made one has loaded torch

    if not isinstance(recipe, Recipe):
        raise RequestError(f"recipe={short_repr(recipe)} must be a name or a Recipe made in Python.")


def check_embedding(request: EmbedRequest) -> None:
    """Of `embed`."""
    _check_word("--device", request.device, DEVICES)
    _check_backbone(request.backbone)
    check_data(request)


def check_classifying(request: Classifying) -> None:
    """Of `predict` and `select`."""
    finished_run(request.run)
    _check_word("--device", request.device, DEVICES)
    check_data(request)


def check_data(request: Reading) -> None:
    """Of `doctor`, and of all that read DATA: that some source does, and that Python knows the encoding."""
    if request.encoding is not None:
        check_encoding(request.encoding)
    source_of(request.data)


def finished_run(path: Path) -> RunFolder:
    """The folder of a finished run. Raises RequestError where there is none."""
    if not path.is_dir():
        raise RequestError(f"there is no run folder {path}; `labelprop train ... --out {path}` makes one.")
    folder = RunFolder(path)
    if not folder.finished:
        raise RequestError(f"{path} holds no finished run; finish it with --resume, or train it.")
    return folder


def _check_new_run(request: NewRun) -> None:
    if leads():  # of processes that were started together the first makes the folder
        RunFolder.check(request.out, request.existing, resumable=isinstance(request, TrainRequest))
    if not 0 <= request.seed < 2**32:  # numpy and scikit-learn take no other
        raise RequestError(f"--seed {request.seed} must be at least 0 and below 2**32.")
    _check_word("--device", request.device, DEVICES)
    check_data(request)
    LabelOptions(prefer=request.prefer)
    for name, given in (("labels", request.labels), ("truth", request.truth)):
        check_files(label_files(given), name)


def _check_word(what: str, word: str, known: Collection[str]) -> None:
    if word not in known:
        raise UnknownNameError(what, word, known)


def _check_backbone(backbone: Any) -> None:
    """A folder is there, or a bundled model; the name of a model elsewhere is looked up when it is loaded."""
    if is_bundled(backbone):
        if backbone in BUNDLED:
            find_weights(backbone)
        return
    path = as_path(backbone)
    folder = path is not None and (
        not isinstance(backbone, str) or backbone.startswith((".", "/", "~")) or backbone.count("/") > 1
    )
    if path is not None and folder and not path.is_dir():
        raise RequestError(
            f"backbone '{backbone}': no such folder; give a HuggingFace model's folder or name, or a run's folder."
        )
    if isinstance(backbone, str) and "/" not in backbone and not Path(backbone).is_dir():
        others = registry.elsewhere("backbones")
        if backbone in others or nearest(backbone, BACKBONES):  # the hub's models have an owner: OWNER/NAME
            raise UnknownNameError("backbone", backbone, BACKBONES, elsewhere=others)


def _check_lengths(request: TrainRequest) -> None:
    lengths = {"--epochs": request.epochs, "--steps": request.steps, "--budget": request.budget}
    given = [name for name, value in lengths.items() if value is not None]
    if len(given) > 1:
        raise RequestError(f"{' and '.join(given)} exclude each other; give one of them.")
    if request.budget is not None:
        parse_duration(request.budget, "--budget")
    for name, value in (("--epochs", request.epochs), ("--steps", request.steps)):
        if value is not None and value < 1:
            raise RequestError(f"{name} {value} must be at least 1.")


def _check_start(request: TrainRequest) -> None:
    """What the network starts from: --init or --tune, not both."""
    _check_word("--tune", request.tune, TUNES)
    if request.tune != FROZEN and request.init is not None:
        raise RequestError(f"--tune {request.tune} and --init exclude each other: both name what to start from.")
    own = isinstance(request.backbone, str | os.PathLike) and not is_bundled(request.backbone)
    if request.tune != FROZEN and not own:
        raise RequestError(
            f"--tune {request.tune} needs images, and --backbone with the folder or name of a HuggingFace model; "
            "photos, text and tf-idf stay as they are."
        )
    if request.init is not None and not (request.init / "model.json").is_file():
        raise RequestError(f"{request.init} holds no model; --init must name a finished run of `labelprop train`.")
