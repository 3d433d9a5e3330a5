"""A finished run: its files, and its classifier on new data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.progress import Reporter, Silent
from labelprop.core.run_folder import RunFolder
from labelprop.data.images.pixels import ImageFormat
from labelprop.data.samples import Samples
from labelprop.data.source import as_path
from labelprop.data.tables.read import TABLE_SUFFIXES
from labelprop.models.backbone import Backbone
from labelprop.report.render import write_report
from labelprop.runs.classifier import BATCH, Classifier, load_classifier, own_backbone
from labelprop.runs.design import open_backbone, read_features, resolve_device
from labelprop.runs.embed import embedded_batches, raw_batches
from labelprop.runs.inputs import ReadOptions, read_options
from labelprop.runs.select import BestOfClasses, selection_table, what_was_selected
from labelprop.runs.tables import predictions_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, eq=False)
class NewData:
    """Examples for a run's classifier, and what they are embedded by, if it takes embeddings."""

    samples: Samples
    classifier: Classifier
    backbone: Backbone | None
    read: ReadOptions


class Run:
    """A finished run on disk."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RequestError(
                f"there is no run folder {self.path}; `labelprop train ... --out {self.path}` makes one."
            )
        self._folder = RunFolder(self.path)
        if not self._folder.finished:
            raise RequestError(f"{self.path} holds no finished run; finish it with --resume, or train it.")

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def labels(self) -> pa.Table:
        """labels.parquet: one row an example, input order."""
        return self._folder.read_table("labels.parquet")

    @property
    def metrics(self) -> dict[str, Any]:
        return self._folder.read_json("metrics.json")

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def write_report(self, against: str | Path | None = None) -> Path:
        """Writes report.html again and returns its path.

        `against` is another finished run on the same data, with the same classes: the page then gets a part that
        sets the two side by side. RequestError where it is not.
        """
        return write_report(self.path, Path(against) if against is not None else None)

    @property
    def model(self) -> Classifier:
        """The classifier in eval mode, with `.classes`: raw examples in, logits out.

        Raises RequestError for a run of `propagate`, which trains none.
        """
        return load_classifier(self.path, self._description())

    def predict(
        self,
        data: Any,
        *,
        proba: bool = False,
        backbone: Any = None,
        device: str = "auto",
        reporter: Reporter | None = None,
        **options: Any,
    ) -> pa.Table:
        """Labels for new data: `id, label, certainty, margin`, in input order; with `proba` the distribution too.

        `data` is anything `train` reads, of the kind the run was trained on; no labels are needed. `backbone` is
        needed only where the run was trained with a module or function, which no file can name.
        """
        reporter, target = reporter or Silent(), resolve_device(device)
        new = self._open(data, backbone, options, reporter)
        features = read_features(new.samples, new.backbone, target, new.read.cache, reporter)
        self._check_shape(new, tuple(features.content.shape))
        distributions_NC = new.classifier.to(target).distributions(features.content, target)
        return predictions_table(new.samples.ids, distributions_NC, new.classifier.classes, proba)

    def select(
        self,
        pool: Any,
        *,
        per_image: int = 10,
        per_class: int = 500,
        backbone: Any = None,
        device: str = "auto",
        reporter: Reporter | None = None,
        **options: Any,
    ) -> pa.Table:
        """The `per_class` examples of a pool that score highest in each class: `id, label, score, rank`.

        Rows come by class and then rank, from 1; ties go to what comes first in the pool. An example stands for its
        `per_image` likeliest classes only, and may be selected for several of them. The pool is anything `predict`
        takes; it is scored once, batch by batch, and only the candidates are held.
        """
        reporter, target = reporter or Silent(), resolve_device(device)
        new = self._open(pool, backbone, options, reporter)
        classifier, n = new.classifier.to(target), len(new.samples)
        selection = BestOfClasses(len(classifier.classes), per_example=per_image, per_class=per_class)
        done = 0
        for rows_B, seen_B in self._seen(new, target):
            selection.offer(rows_B, classifier.probabilities(seen_B.to(target)).cpu().numpy())
            done += len(rows_B)
            reporter.advance("scoring", done, n)
        for said in what_was_selected(n, classifier.classes, selection):
            reporter.say(said)
        return selection_table(new.samples.ids, classifier.classes, selection)

    def _open(self, data: Any, backbone: Any, options: Mapping[str, Any], reporter: Reporter) -> NewData:
        """New data and what the classifier sees them by."""
        read = ReadOptions(**(self._columns(data) | read_options(options).given))
        classifier = self.model
        shape = tuple(classifier.preprocessing.shape)
        description = self._description()
        trained_with = description.get("backbone")
        image_format = ImageFormat(*shape) if trained_with is None and len(shape) == 3 else None
        samples = read.open(data, reporter, image_format)
        if trained_with is None and samples.texts is not None:
            raise RequestError(f"{samples.name} holds text, the model in {self.path} takes {_described(shape)}.")
        if trained_with is not None and backbone is None:
            backbone = own_backbone(self.path, description)
        seen_by = open_backbone(samples, None if trained_with is None else backbone, reporter)
        if trained_with and seen_by and seen_by.digest != trained_with["digest"]:
            raise RequestError(
                f"'{trained_with['name']}' is not the backbone that {self.path} was trained with: its weights "
                "differ. Put the original back, or train again."
            )
        return NewData(samples, classifier, seen_by, read)

    def _seen(self, new: NewData, device: torch.device) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Rows (B,) and what the classifier takes of them (B, *shape), one batch after the other."""
        if new.backbone is None:
            assert new.samples.content is not None
            self._check_shape(new, tuple(new.samples.content.shape))
            yield from raw_batches(new.samples, device=device, batch_size=BATCH)
            return
        for rows_B, vectors_BD in embedded_batches(new.samples, new.backbone, device=device):
            self._check_shape(new, tuple(vectors_BD.shape[1:]))
            yield rows_B, vectors_BD

    def _check_shape(self, new: NewData, shape: tuple[int, ...]) -> None:
        expected = tuple(new.classifier.preprocessing.shape)
        if shape != expected:
            raise RequestError(
                f"{new.samples.name} has examples of shape {shape}, the model in {self.path} takes {expected}; "
                "give data of the kind it was trained on."
            )

    def _columns(self, data: Any) -> dict[str, Any]:
        """Columns of a table that were named for training; new tables have them unless said otherwise."""
        path = as_path(data)
        if path is None or path.suffix.lower() not in TABLE_SUFFIXES:
            return {}
        return dict(self._folder.read_json("run.json").get("columns", {}))

    def _description(self) -> dict[str, Any]:
        description = self._folder.read_json("model.json")
        if not description:
            raise RequestError(f"{self.path} holds no model: `propagate` trains none; use `labelprop train`.")
        return description


def _described(shape: tuple[int, ...]) -> str:
    return f"images of shape {shape}" if len(shape) == 3 else f"vectors of {shape[0]} dimensions"
