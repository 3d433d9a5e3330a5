"""New data by the classifier of a run: predictions, and the best examples of a pool."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.kinds import Kinds
from labelprop.core.run_folder import RunFolder
from labelprop.data.images.pixels import ForBackbone
from labelprop.data.samples import ReadAs, Samples
from labelprop.models.backbone import Backbone
from labelprop.runs.backbones import features_of, trained_on, wanted_by, with_columns
from labelprop.runs.classifier import BATCH, Classifier, load_classifier, model_description
from labelprop.runs.design import embed_content, leave_out, resolve_device
from labelprop.runs.embed import embedded_batches, raw_batches
from labelprop.runs.inputs import open_data
from labelprop.runs.requests import Classifying, PredictRequest, SelectRequest
from labelprop.runs.select import BestOfClasses, selection_table, what_was_selected
from labelprop.runs.tables import as_given, label_type_of, predictions_table

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
    failures: dict[int, str] = field(default_factory=dict)  # images that could not be read, by index

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
        for batch in embedded_batches(self.samples, self.backbone, device=self.device):
            self.failures.update(batch.failures)
            if len(batch.rows):
                self.check_shape(tuple(batch.vectors.shape[1:]))
            yield batch.rows, batch.vectors


def predict(request: PredictRequest) -> pa.Table:
    """`id, label, certainty, margin` of new data, in input order; with `proba` the distribution too."""
    new = open_new_data(request)
    embedded = embed_content(new.samples, new.backbone, new.device, request)
    new.check_shape(tuple(embedded.content.shape))
    distributions_NC = new.classifier.distributions(embedded.content, new.device)
    table = predictions_table(embedded.samples.ids, distributions_NC, new.classifier.classes, request.proba)
    return _typed(table, request)


def select(request: SelectRequest) -> pa.Table:
    """The `per_class` examples of a pool that score highest in each class: `id, label, score, rank`.

    The pool is scored once, batch by batch, and only the candidates are held.
    """
    new = open_new_data(request)
    classifier, n, done = new.classifier, len(new.samples), 0
    selection = BestOfClasses(len(classifier.classes), per_example=request.per_image, per_class=request.per_class)
    for rows_B, seen_B in new.batches():
        if len(rows_B):
            selection.offer(rows_B, classifier.probabilities(seen_B.to(new.device)).cpu().numpy())
        done += len(rows_B)
        request.reporter.advance("scoring", done, n)
    leave_out(new.samples, new.failures, request)
    for line in what_was_selected(n - len(new.failures), classifier.classes, selection):
        request.reporter.say(line)
    return _typed(selection_table(new.samples.ids, classifier.classes, selection), request)


def _typed(table: pa.Table, request: Classifying) -> pa.Table:
    """With labels of the type that the run was given; a command writes a file, and files hold texts."""
    return table if request.command else as_given(table, label_type_of(RunFolder(request.run)))


def open_new_data(request: Classifying) -> NewData:
    """New data, with the run's classifier and backbone."""
    folder, device = RunFolder(request.run), resolve_device(request.device)
    request = with_columns(folder, request)
    description = model_description(folder)
    classifier = load_classifier(folder.path, description, request.model)
    seen_by, preprocessing = trained_on(folder, description, request.backbone), classifier.preprocessing
    read_as: ReadAs = preprocessing.image_format if seen_by is None else wanted_by(seen_by)[0]
    if read_as is None:
        kinds = Kinds(f"the model in {folder.path}", ("vector",), "give data of the kind it was trained on")
        read_as = ForBackbone(kinds=kinds)
    samples = open_data(request, read_as, features_of(folder))
    return NewData(request, samples, classifier.to(device), seen_by, device)
