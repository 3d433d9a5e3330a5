"""A finished run: its files, and its classifier on new data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelprop.report.render import write_report
from labelprop.runs.classifier import Classifier, load_classifier
from labelprop.runs.predict import finished_run, model_description, predict, select
from labelprop.runs.requests import PredictRequest, SelectRequest

if TYPE_CHECKING:
    import pyarrow as pa


class Run:
    """A finished run on disk."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._folder = finished_run(self.path)

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
        return load_classifier(self.path, model_description(self._folder))

    def predict(self, data: Any, **options: Any) -> pa.Table:
        """Labels for new data: `labelprop.predict(run, data, ...)`."""
        return predict(PredictRequest.of({"run": self.path, "data": data, **options}))

    def select(self, pool: Any, **options: Any) -> pa.Table:
        """The best examples of a pool for each class: `labelprop.select(run, pool, ...)`."""
        return select(SelectRequest.of({"run": self.path, "data": pool, **options}))
