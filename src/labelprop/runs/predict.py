"""New data by the classifier of a run: predictions, and the best examples of a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.run_folder import RunFolder
from labelprop.data.images.pixels import ImageFormat
from labelprop.data.samples import Samples
from labelprop.data.source import as_path
from labelprop.data.tables.kinds import table_kind
from labelprop.models.backbone import Backbone
from labelprop.runs.classifier import BATCH, Classifier, load_classifier, own_backbone
from labelprop.runs.design import embed_content, open_backbone, resolve_device
from labelprop.runs.embed import embedded_batches, raw_batches
from labelprop.runs.inputs import open_data
from labelprop.runs.requests import Classifying, PredictRequest, SelectRequest
from labelprop.runs.select import BestOfClasses, selection_table, what_was_selected
from labelprop.runs.tables import predictions_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class NewData:
    """Examples for a run's classifier, and the backbone that embeds them, if it takes embeddings."""

    request: Classifying
    samples: Samples
    classifier: Classifier
    backbone: Backbone | None
    device: torch.device

    def check_shape(self, shape: tuple[int, ...]) -> None:
        expected = tuple(self.classifier.preprocessing.shape)
        if shape != expected:
            raise RequestError(
                f"{self.samples.name} has examples of shape {shape}, the model in {self.request.run} takes "
                f"{expected}; give data of the kind it was trained on."
            )

    def batches(self) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Rows (B,) and what the classifier takes of them (B, *shape), one batch after the other."""
        if self.backbone is None:
            assert self.samples.content is not None
            self.check_shape(tuple(self.samples.content.shape))
            yield from raw_batches(self.samples, device=self.device, batch_size=BATCH)
            return
        for rows_B, vectors_BD in embedded_batches(self.samples, self.backbone, device=self.device):
            self.check_shape(tuple(vectors_BD.shape[1:]))
            yield rows_B, vectors_BD


def predict(request: PredictRequest) -> pa.Table:
    """`id, label, certainty, margin` of new data, in input order; with `proba` the distribution too."""
    new = open_new_data(request)
    embedded = embed_content(new.samples, new.backbone, new.device, request)
    new.check_shape(tuple(embedded.content.shape))
    distributions_NC = new.classifier.distributions(embedded.content, new.device)
    return predictions_table(new.samples.ids, distributions_NC, new.classifier.classes, request.proba)


def select(request: SelectRequest) -> pa.Table:
    """The `per_class` examples of a pool that score highest in each class: `id, label, score, rank`.

    The pool is scored once, batch by batch, and only the candidates are held.
    """
    new = open_new_data(request)
    classifier, n, done = new.classifier, len(new.samples), 0
    selection = BestOfClasses(len(classifier.classes), per_example=request.per_image, per_class=request.per_class)
    for rows_B, seen_B in new.batches():
        selection.offer(rows_B, classifier.probabilities(seen_B.to(new.device)).cpu().numpy())
        done += len(rows_B)
        request.reporter.advance("scoring", done, n)
    for line in what_was_selected(n, classifier.classes, selection):
        request.reporter.say(line)
    return selection_table(new.samples.ids, classifier.classes, selection)


def finished_run(path: Path) -> RunFolder:
    """The folder of a finished run. Raises RequestError where there is none."""
    if not path.is_dir():
        raise RequestError(f"there is no run folder {path}; `labelprop train ... --out {path}` makes one.")
    folder = RunFolder(path)
    if not folder.finished:
        raise RequestError(f"{path} holds no finished run; finish it with --resume, or train it.")
    return folder


def model_description(folder: RunFolder) -> dict[str, Any]:
    """model.json. Raises RequestError for a run of `propagate`."""
    description = folder.read_json("model.json")
    if not description:
        raise RequestError(f"{folder.path} holds no model: `propagate` trains none; use `labelprop train`.")
    return description


def open_new_data(request: Classifying) -> NewData:
    """New data, with the run's classifier and backbone."""
    folder, device = finished_run(request.run), resolve_device(request.device)
    columns: dict[str, Any] = _columns(folder, request)
    request = replace(request, **columns)
    description = model_description(folder)
    classifier, trained_with = load_classifier(folder.path, description), description.get("backbone")
    shape = tuple(classifier.preprocessing.shape)
    samples = open_data(request, ImageFormat(*shape) if trained_with is None and len(shape) == 3 else None)
    if trained_with is None and samples.texts is not None:
        raise RequestError(f"{samples.name} holds text, the model in {folder.path} takes {_described(shape)}.")
    backbone = request.backbone
    if trained_with is not None and backbone is None:
        backbone = own_backbone(folder.path, description)
    seen_by = open_backbone(samples, None if trained_with is None else backbone, request.reporter)
    if trained_with and seen_by and seen_by.digest != trained_with["digest"]:
        raise RequestError(
            f"'{trained_with['name']}' is not the backbone that {folder.path} was trained with: its weights "
            "differ. Put the original back, or train again."
        )
    return NewData(request, samples, classifier.to(device), seen_by, device)


def _columns(folder: RunFolder, request: Classifying) -> dict[str, str]:
    """Columns of a table that were named for training; new tables have them unless the request names others."""
    path = as_path(request.data)
    if path is None or table_kind(path) is None:
        return {}
    named: dict[str, str] = folder.read_json("run.json").get("columns", {})
    return named | request.content_columns


def _described(shape: tuple[int, ...]) -> str:
    return f"images of shape {shape}" if len(shape) == 3 else f"vectors of {shape[0]} dimensions"
