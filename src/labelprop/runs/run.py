"""A finished run: its files, and its classifier on new data."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.html import box, sentence
from labelprop.core.run_folder import RunFolder
from labelprop.report.render import write_report
from labelprop.runs.backbones import backbone_of_run, embed
from labelprop.runs.calls import call
from labelprop.runs.checks import check_classifying, check_embedding, finished_run
from labelprop.runs.classifier import Classifier, load_classifier, model_description, needs_own_model
from labelprop.runs.parameter_names import parameters_named
from labelprop.runs.predict import predict, select
from labelprop.runs.request import given_path
from labelprop.runs.requests import EmbedRequest, PredictRequest, SelectRequest
from labelprop.runs.shown import run_html
from labelprop.runs.tables import as_given, label_as_given, label_type_of

if TYPE_CHECKING:
    import pyarrow as pa


class Run:
    """A finished run on disk; `model` is the module from Python, or its class, of a run that was trained with one."""

    def __init__(self, path: str | PathLike[str], model: Any = None) -> None:
        self.path, self._own = given_path("path", path), model
        self._folder  # noqa: B018

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def __fspath__(self) -> str:
        """A run stands wherever the path of its folder does."""
        return str(self.path)

    def _repr_html_(self) -> str:
        """For notebooks."""
        try:
            return run_html(self._folder)
        except RequestError as error:
            return box(repr(self), sentence(str(error)))

    @property
    def _folder(self) -> RunFolder:
        """The folder, looked for again: it may have been removed."""
        with parameters_named():
            return finished_run(self.path)

    @property
    def labels(self) -> pa.Table:
        """labels.parquet: one row an example, input order; labels of the type they were given in."""
        with parameters_named():
            return as_given(self._folder.read_table("labels.parquet"), label_type_of(self._folder))

    @property
    def metrics(self) -> dict[str, Any]:
        with parameters_named():
            return self._folder.read_json("metrics.json")

    @property
    def report(self) -> Path:
        """The page; not there where the run was made with `report=False`."""
        return self.path / "report.html"

    def write_report(self, against: str | PathLike[str] | None = None) -> Path:
        """Writes report.html again and returns its path.

        `against` is another finished run on the same data, with the same classes: the page then gets a part that
        sets the two side by side. RequestError where it is not.
        """
        with parameters_named():
            return write_report(self.path, None if against is None else given_path("against", against))

    @property
    def model(self) -> Classifier:
        """The classifier in eval mode: raw examples in, logits out; `.classes` are of the type that labels came in.

        Raises RequestError for a run of `propagate`, which trains none.
        """
        with parameters_named():
            classifier = load_classifier(self.path, model_description(self._folder), self._own)
        kind = label_type_of(self._folder)
        classifier.classes = tuple(label_as_given(text, kind) for text in classifier.classes)
        return classifier

    def check_model(self) -> None:
        """Raises RequestError where the network needs a module from Python and that was not given, or is another."""
        if self._own is not None or needs_own_model(self._folder):
            self.model  # noqa: B018

    def embed(self, data: Any, *, backbone: Any = None, **options: Any) -> np.ndarray:
        """(N, D) float32 unit vectors of new data, in input order: what the classifier decides by.

        `backbone` is the module or function that the run was trained on the embedding of, where no file can name it;
        other `options` are those of `labelprop.embed`.
        """
        with parameters_named():
            network = backbone_of_run(self._folder, self._own, backbone)
        return call(embed, EmbedRequest, {"data": data, "backbone": network, **options}, check_embedding)[0]

    def predict(self, data: Any, **options: Any) -> pa.Table:
        """Labels for new data: `labelprop.predict(run, data, ...)`."""
        options = {"run": self.path, "data": data, "model": self._own, **options}
        return call(predict, PredictRequest, options, check_classifying)

    def select(self, pool: Any, **options: Any) -> pa.Table:
        """The best examples of a pool for each class: `labelprop.select(run, pool, ...)`."""
        options = {"run": self.path, "data": pool, "model": self._own, **options}
        return call(select, SelectRequest, options, check_classifying)
