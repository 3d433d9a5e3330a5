"""Backbones as requests name them, the network of a trained run among them, and `embed`, which applies one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.core.bundled import TAKES, TF_IDF, is_bundled
from labelprop.core.errors import RequestError
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder
from labelprop.core.text import counted
from labelprop.data.files.listing import list_files
from labelprop.data.images.pixels import FROZEN, USUAL, ForBackbone, ImageFormat
from labelprop.data.labels.column import made_by
from labelprop.data.samples import Samples
from labelprop.data.source import as_path
from labelprop.data.tables.frames import is_frame
from labelprop.data.tables.kinds import table_kind
from labelprop.models.adapt import as_feature
from labelprop.models.backbone import Backbone, kinds_of, load_backbone, weights_digest
from labelprop.models.bundled import photo_size
from labelprop.models.trunks.text_svd import TextSvd
from labelprop.runs.checks import finished_run
from labelprop.runs.classifier import Classifier, load_classifier, model_description, own_backbone
from labelprop.runs.design import embed_content, resolve_device
from labelprop.runs.inputs import open_data
from labelprop.runs.requests import EmbedRequest, Reading


def open_backbone(samples: Samples, backbone: Any, reporter: Reporter, seed: int = 0) -> Backbone | None:
    """The backbone that embeds the examples; None where they are used as they are.

    "tf-idf" is learned from these texts themselves.
    """
    if backbone is None or isinstance(backbone, Backbone):
        return backbone
    if backbone != TF_IDF:
        return _opened(backbone)
    kinds_of(TF_IDF, TAKES[TF_IDF]).check(samples.name, samples.modality)
    assert samples.texts is not None
    learned = TextSvd.fit(samples.texts, seed=seed)
    groups, dimensions = len(learned.vocabulary), len(learned.components_DV)
    reporter.say(
        f"texts become vectors by TF-IDF of {counted(groups, 'group')} of letters and an SVD to "
        f"{counted(dimensions, 'dimension')}, learned from these texts"
    )
    return load_backbone(learned)


@dataclass(frozen=True)
class Named:
    """A model by its name or folder, which is opened when it is needed: what is wrong with DATA is found before."""

    name: str | os.PathLike[str]

    @cached_property
    def backbone(self) -> Backbone:
        return load_backbone(self.name)

    def image_format(self) -> ImageFormat | None:
        """That of its images, where it has one."""
        return None if self.backbone.image_shape is None else ImageFormat(*self.backbone.image_shape)


def _opened(backbone: Any) -> Backbone:
    return backbone.backbone if isinstance(backbone, Named) else load_backbone(backbone)


def with_runs(backbone: Any, device: torch.device | str = "cpu", image_size: int | None = None) -> Any:
    """The backbone that a name or folder stands for, also that of a run; `photos` at its size on the device.

    What is to be learned from texts is still a name, and objects of Python are what they are.
    """
    if not isinstance(backbone, str | os.PathLike) or backbone == TF_IDF:
        return backbone
    if _is_run(backbone):
        return backbone_of_run(finished_run(Path(backbone)))
    if backbone == "photos":  # soon opened
        return load_backbone(backbone, image_size=image_size or photo_size(device))
    return Named(backbone)


def _is_run(backbone: Any) -> bool:
    named = isinstance(backbone, str | os.PathLike) and not is_bundled(backbone)
    return named and (Path(backbone) / "run.json").is_file()


def backbone_of_run(folder: RunFolder, model: Any = None, own: Any = None) -> Backbone:
    """The network of a run as a backbone: vectors of unit length, from which its classifier decides.

    `model` is its network where that is a module from Python, `own` the object of Python that it was trained on the
    embedding of, if it was.
    """
    description = model_description(folder)
    classifier = load_classifier(folder.path, description, model)
    seen_by, preprocessing = trained_on(folder, description, own), classifier.preprocessing
    embed = partial(_embed, classifier, seen_by)
    described = (preprocessing, seen_by.digest if seen_by else None)
    known = seen_by is None or seen_by.digest
    named: dict[str, Any] = {
        "name": os.path.abspath(folder.path),
        "digest": weights_digest(classifier.network, *described) if known else "",
        "embed": embed,
        "by_name": True,
        "features": features_of(folder),
    }
    if seen_by is not None:
        return replace(seen_by, **named, learned=None, sized=False)
    shape = preprocessing.image_format.shape if preprocessing.image_format else None
    return Backbone(**named, modality=preprocessing.kind, image_shape=shape, of_pixels=True)


def trained_on(folder: RunFolder, description: Mapping[str, Any], given: Any = None) -> Backbone | None:
    """The backbone that a run was trained on the embedding of; None where it saw the data themselves.

    `given` is it, where it was an object of Python. Raises RequestError where the weights are not the same any more.
    """
    trained_with = description.get("backbone")
    if trained_with is None:
        if given is not None:
            raise RequestError(f"{folder.path} was trained on the data themselves; leave backbone= out.")
        return None
    named = own_backbone(folder.path, description) if given is None else given
    found = _opened(with_runs(named, image_size=trained_with.get("image_size")))
    if found.digest != trained_with["digest"]:
        raise RequestError(
            f"'{trained_with['name']}' is not the backbone that {folder.path} was trained with: its weights "
            "differ. Put the original back, or train again."
        )
    return found


def _embed(classifier: Classifier, seen_by: Backbone | None, batch: Any, device: torch.device) -> torch.Tensor:
    if seen_by is not None:
        batch = F.normalize(as_feature(seen_by.embed(batch, device)).float(), dim=1)
    shape, expected = tuple(batch.shape[1:]), tuple(classifier.preprocessing.shape)
    if shape != expected:
        raise RequestError(f"the network of the run takes examples of shape {expected}, these have {shape}.")
    return classifier.to(device).embedding(batch)


def wanted_by(backbone: Any, image_size: int | None = None) -> tuple[ForBackbone | None, tuple[str, ...]]:
    """How DATA are read for a backbone: the images, in a format that suits them where it has none or a size was asked
    for; and the columns of a number each that it takes.
    """
    if backbone is None:
        return None, ()
    if not isinstance(backbone, Backbone):
        name = backbone.name if isinstance(backbone, Named) else backbone
        kinds = kinds_of(name, TAKES[name]) if isinstance(name, str) and name in TAKES else None
        asked = backbone.image_format if isinstance(backbone, Named) and image_size is None else None
        return ForBackbone(asked, kinds=kinds), ()
    shape = backbone.image_shape if image_size is None else None
    scaling = USUAL if backbone.of_pixels else FROZEN
    return ForBackbone(ImageFormat(*shape) if shape else None, scaling, backbone.kinds), backbone.features


def features_of(folder: RunFolder) -> tuple[str, ...]:
    """The columns of a number each that a run was trained on; none where it had none, or an array."""
    return tuple(folder.read_json("run.json").get("features", ()))


RunReading = TypeVar("RunReading", bound=Reading)


def with_columns(folder: RunFolder, request: RunReading) -> RunReading:
    """With the columns of a table that were named for training; new tables have them unless it names others."""
    path, named = as_path(request.data), folder.read_json("run.json").get("columns", {})
    if not named:
        return request
    if path is None:
        is_table = is_frame(request.data) or made_by(request.data, "datasets")
    else:
        is_table = bool(list_files(path).shards) if path.is_dir() else table_kind(path) is not None
    return replace(request, **named | request.content_columns) if is_table else request


def embed(request: EmbedRequest) -> tuple[np.ndarray, tuple[str, ...]]:
    """(N, D) float32 unit vectors of the examples, in input order, and their ids."""
    device = resolve_device(request.device)
    backbone = with_runs(request.backbone, device, request.image_size)
    if _is_run(request.backbone):
        request = with_columns(RunFolder(Path(request.backbone)), request)
    samples = open_data(request, *wanted_by(backbone, request.image_size))
    embedded = embed_content(samples, open_backbone(samples, backbone, request.reporter), device, request)
    return embedded.content.read(np.arange(len(embedded.content))).numpy(), embedded.samples.ids
