"""The Python verbs: train, propagate, embed, predict, select, doctor, load. Each is the command of the same name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.progress import Reporter, Silent
from labelprop.core.run_folder import Existing
from labelprop.data.labels.findings import Finding
from labelprop.data.labels.inspect import inspect_data
from labelprop.methods.phases import Recipe
from labelprop.runs.design import open_backbone, read_features, resolve_device
from labelprop.runs.inputs import read_options, split_options
from labelprop.runs.prepare import TrainRequest
from labelprop.runs.propagate import PropagateRequest
from labelprop.runs.propagate import propagate as run_propagation
from labelprop.runs.run import Run
from labelprop.runs.train import train as run_training

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Run", "doctor", "embed", "embed_with_ids", "load", "predict", "propagate", "select", "train"]


def train(
    data: Any,
    labels: Any = None,
    *,
    recipe: str | Recipe = "dlp",
    model: str = "auto",
    out: str | Path,
    init: str | Path | None = None,
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
    init : folder of a run whose network is gone on from, with new heads.
    truth, test : labels of unlabeled rows, and a labeled set of the same kind; for scoring only.
    budget : '10min', '90s', ...; turned into a number of steps once. `epochs` or `steps` set that number instead.
    options : epochs, devices (trained on by as many processes: a script then needs `if __name__ == "__main__":`),
        augment, backbone, tune, only_labeled (leaves out rows without a label), settings (of the recipe), baselines,
        deterministic, precision, force, reporter, and how to read data: label_col, id_col, image_col,
        text_col, embedding_col, truth_col, image_size, strict, cache.

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
        init=None if init is None else Path(init),
        test=test,
        truth=truth,
        seed=seed,
        device=device,
        budget=budget,
        existing=_existing(resume, overwrite),
        **split_options(options, known),
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
        **split_options(options, known),
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
    reporter, read, target = reporter or Silent(), read_options(options), resolve_device(device)
    samples = read.open(data, reporter)
    content = read_features(samples, open_backbone(samples, backbone, reporter), target, read.cache, reporter).content
    return content.read(np.arange(len(content))).numpy(), samples.ids


def predict(run: str | Path, data: Any, **options: Any) -> pa.Table:
    """Labels for new data by the classifier of a run: `load(run).predict(data)`."""
    return Run(run).predict(data, **options)


def select(run: str | Path, pool: Any, **options: Any) -> pa.Table:
    """The best examples of a pool for each class, by the classifier of a run: `load(run).select(pool)`."""
    return Run(run).select(pool, **options)


def doctor(data: Any, labels: Any = None, **options: Any) -> tuple[Finding, ...]:
    """All that is wrong or doubtful about the data, with row ids; works without any label."""
    read = read_options(options)
    cache = Path(read.cache) if read.cache else None
    return inspect_data(data, labels, columns=read.columns, image_size=read.image_size, cache=cache)[1]


def load(path: str | Path) -> Run:
    """A finished run."""
    return Run(path)


def _existing(resume: bool, overwrite: bool) -> Existing:
    if resume and overwrite:
        raise RequestError("--resume and --overwrite exclude each other; give one of them.")
    return "resume" if resume else "overwrite" if overwrite else "refuse"
