"""The Python verbs: train, propagate, embed, predict, doctor, load. Each is the command of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelprop.api_prepare import TrainRequest
from labelprop.api_propagate import PropagateRequest
from labelprop.api_propagate import propagate as run_propagation
from labelprop.api_train import train as run_training
from labelprop.data.findings import Finding
from labelprop.data.found import as_path
from labelprop.data.inspect import inspect_data
from labelprop.data.preprocessing import ImageFormat
from labelprop.data.tables import TABLE_SUFFIXES
from labelprop.design import read_features, resolve_device
from labelprop.errors import RequestError, UnknownNameError
from labelprop.export import Classifier, load_classifier
from labelprop.inputs import ReadOptions
from labelprop.outputs import predictions_table
from labelprop.progress import Reporter, Silent
from labelprop.report.render import write_report
from labelprop.run_folder import Existing, RunFolder
from labelprop.training.phases import Recipe

if TYPE_CHECKING:
    import pyarrow as pa


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
        read = ReadOptions(**(self._columns(data) | _read_options(options).given))
        classifier = self.model
        shape = tuple(classifier.preprocessing.shape)
        trained_with = self._description().get("backbone")
        image_format = ImageFormat(*shape) if trained_with is None and len(shape) == 3 else None
        samples = read.open(data, reporter, image_format)
        features = read_features(samples, self._backbone(trained_with, backbone), target, read.cache, reporter)
        if trained_with and features.backbone and features.backbone["digest"] != trained_with["digest"]:
            raise RequestError(
                f"'{trained_with['name']}' is not the backbone that {self.path} was trained with: its weights "
                "differ. Put the original back, or train again."
            )
        if tuple(features.content.shape) != shape:
            raise RequestError(
                f"{samples.name} has examples of shape {tuple(features.content.shape)}, the model in {self.path} "
                f"takes {shape}; give data of the kind it was trained on."
            )
        distributions_NC = classifier.to(target).distributions(features.content, target)
        return predictions_table(samples.ids, distributions_NC, classifier.classes, proba)

    def _columns(self, data: Any) -> dict[str, Any]:
        """Columns of a table that were named for training; new tables have them unless said otherwise."""
        path = as_path(data)
        if path is None or path.suffix.lower() not in TABLE_SUFFIXES:
            return {}
        return dict(self._folder.read_json("run.json").get("columns", {}))

    def _backbone(self, trained_with: Mapping[str, Any] | None, given: Any) -> Any:
        """What to embed new data with; None where the run was trained on the data themselves."""
        if trained_with is None:
            return None
        if given is None and not trained_with["by_name"]:
            raise RequestError(
                f"{self.path} was trained on the embedding by {trained_with['name']}, an object of Python: "
                "pass backbone= with it."
            )
        return trained_with["name"] if given is None else given

    def _description(self) -> dict[str, Any]:
        description = self._folder.read_json("model.json")
        if not description:
            raise RequestError(f"{self.path} holds no model: `propagate` trains none; use `labelprop train`.")
        return description


def train(
    data: Any,
    labels: Any = None,
    *,
    recipe: str | Recipe = "dlp",
    model: str = "auto",
    out: str | Path,
    test: Any = None,
    truth: Any = None,
    seed: int = 0,
    device: str = "auto",
    budget: str | float | None = None,
    resume: bool = False,
    overwrite: bool = False,
    **options: Any,
) -> Run:
    """Trains `recipe` on a few labels and many unlabeled examples; writes the run folder `out`.

    Parameters
    ----------
    data, labels : path, array, `datasets.Dataset`, or (labels) a mapping id -> label; see the README.
    recipe : one of `labelprop methods`, or a `Recipe` made in Python; `settings` are for the former.
    truth, test : labels of unlabeled rows, and a labeled set of the same kind; for scoring only.
    budget : '10min', '90s', ...; turned into a number of steps once. `epochs` sets that number instead.
    options : epochs, devices (trained on by as many processes: a script then needs `if __name__ == "__main__":`),
        augment, backbone, settings (of the recipe), baselines, deterministic, force, reporter, and how to read data:
        label_col, id_col, image_col, text_col, embedding_col, truth_col, image_size, strict, cache.

    Raises
    ------
    RequestError where the request or the data are wrong, WorkError where training or writing fails.
    """
    known = {field.name for field in fields(TrainRequest)} - {"read", "existing"}
    request = TrainRequest(
        data=data,
        labels=labels,
        recipe=recipe,
        model=model,
        out=Path(out),
        test=test,
        truth=truth,
        seed=seed,
        device=device,
        budget=budget,
        existing=_existing(resume, overwrite),
        **_split_options(options, known),
    )
    return Run(run_training(request))


def propagate(
    data: Any,
    labels: Any = None,
    *,
    method: str = "diffusion",
    out: str | Path,
    truth: Any = None,
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
    **options: Any,
) -> Run:
    """Spreads labels with one propagator, without training; writes the run folder `out`.

    `options`: `parameters` of the propagator, `backbone`, `reporter`, and how to read data (see `train`).
    """
    known = {field.name for field in fields(PropagateRequest)} - {"read", "existing"}
    request = PropagateRequest(
        data=data,
        labels=labels,
        method=method,
        out=Path(out),
        truth=truth,
        seed=seed,
        device=device,
        existing=_existing(False, overwrite),
        **_split_options(options, known),
    )
    return Run(run_propagation(request))


def embed(
    data: Any, *, backbone: Any, device: str = "auto", reporter: Reporter | None = None, **options: Any
) -> np.ndarray:
    """(N, D) float32 unit vectors of the examples, in input order, by a frozen backbone.

    `backbone` is a HuggingFace folder or name, an `nn.Module` or a callable on a batch of images.
    """
    return embed_with_ids(data, backbone=backbone, device=device, reporter=reporter, **options)[0]


def embed_with_ids(
    data: Any, *, backbone: Any, device: str = "auto", reporter: Reporter | None = None, **options: Any
) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `embed`, with the ids of the rows."""
    reporter, read, target = reporter or Silent(), _read_options(options), resolve_device(device)
    samples = read.open(data, reporter)
    content = read_features(samples, backbone, target, read.cache, reporter).content
    return content.read(np.arange(len(content))).numpy(), samples.ids


def predict(run: str | Path, data: Any, **options: Any) -> pa.Table:
    """Labels for new data by the classifier of a run: `load(run).predict(data)`."""
    return Run(run).predict(data, **options)


def doctor(data: Any, labels: Any = None, **options: Any) -> tuple[Finding, ...]:
    """All that is wrong or doubtful about the data, with row ids; works without any label."""
    read = _read_options(options)
    cache = Path(read.cache) if read.cache else None
    return inspect_data(data, labels, columns=read.columns, image_size=read.image_size, cache=cache)[1]


def load(path: str | Path) -> Run:
    """A finished run."""
    return Run(path)


def _existing(resume: bool, overwrite: bool) -> Existing:
    if resume and overwrite:
        raise RequestError("--resume and --overwrite exclude each other; give one of them.")
    return "resume" if resume else "overwrite" if overwrite else "refuse"


def _read_options(options: dict[str, Any]) -> ReadOptions:
    return _split_options(options, set())["read"]  # type: ignore[no-any-return]


def _split_options(options: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """Sorts keyword options into those of the request and those of reading. Raises UnknownNameError."""
    reading = set(ReadOptions.names())
    for name in options:
        if name not in known | reading:
            raise UnknownNameError("option", name, known | reading)
    own = {name: value for name, value in options.items() if name in known}
    return own | {"read": ReadOptions(**{name: value for name, value in options.items() if name in reading})}
