"""The Python verbs: train, propagate, embed, predict, select, doctor, load. Each is the command of the same name.

Each takes the fields of its request by name (`labelprop.runs.requests`), and raises RequestError where the request or
the data are wrong, WorkError where the work fails. What works is imported in the verb: torch takes seconds to load,
and what `runs.checks` refuses is refused before.
"""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelprop.core.ranks import leads
from labelprop.runs import checks
from labelprop.runs.calls import call, from_names
from labelprop.runs.parameter_names import as_parameters, parameters_named
from labelprop.runs.request import given_path
from labelprop.runs.requests import (
    DoctorRequest,
    EmbedRequest,
    NewRun,
    PredictRequest,
    PropagateRequest,
    SelectRequest,
    TrainRequest,
)

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from labelprop.data.labels.findings import Finding
    from labelprop.runs.run import Run

__all__ = ["doctor", "embed", "embed_with_ids", "load", "predict", "propagate", "select", "train"]


@from_names(TrainRequest, checks.check_training)
def train(request: TrainRequest) -> Run:
    """Trains `recipe` on a few labels and many unlabeled examples; writes the run folder `out`.

    `data` and `labels` are paths, arrays, frames, a `datasets.Dataset`, or (labels) a mapping id -> label. `recipe`
    is a name or a `Recipe` made in Python; `settings` are for the former. `devices` beyond 1 are as many processes: a
    script then needs `if __name__ == "__main__":`. `model` is a name, or a `torch.nn.Module` whose forward gives
    features.
    """
    from labelprop.runs.run import Run
    from labelprop.runs.train import train as run_training

    own = None if isinstance(request.model, str) else request.model
    try:
        return _ended(request, Run(run_training(request), model=own))
    except KeyboardInterrupt:
        if not request.command:
            request.reporter.say("interrupted; what was finished is saved. To go on: the same call with --resume")
        raise


@from_names(PropagateRequest, checks.check_propagation)
def propagate(request: PropagateRequest) -> Run:
    """Spreads labels with one propagator, without training; writes the run folder `out`."""
    from labelprop.runs.propagate import propagate as run_propagation
    from labelprop.runs.run import Run

    return _ended(request, Run(run_propagation(request)))


def _ended(request: NewRun, run: Run) -> Run:
    """Says where the page is, as the command does on stdout, and tells the callbacks."""
    from labelprop.runs.shown import where

    if not request.command:
        request.reporter.say(where(run.path))
    if leads():
        request.callbacks.tell("on_end", run)
    return run


@from_names(EmbedRequest, checks.check_embedding)
def embed(request: EmbedRequest) -> np.ndarray:
    """(N, D) float32 unit vectors of the examples, in input order, by a frozen backbone.

    `backbone` is a HuggingFace folder or name, the folder of a run of `train`, an `nn.Module` or a callable on a
    batch of images.
    """
    from labelprop.runs import backbones

    return backbones.embed(request)[0]


@from_names(EmbedRequest, checks.check_embedding)
def embed_with_ids(request: EmbedRequest) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `embed`, with the ids of the rows."""
    from labelprop.runs import backbones

    return backbones.embed(request)


@from_names(PredictRequest, checks.check_classifying)
def predict(request: PredictRequest) -> pa.Table:
    """Labels for new data by the classifier of a run: `id, label, certainty, margin`, in input order.

    `data` is anything `train` reads, of the kind the run was trained on; no labels are needed. With `proba` the
    distribution comes too.
    """
    from labelprop.runs import predict as new_data

    return new_data.predict(request)


def select(run: str | Path, pool: Any, **options: Any) -> pa.Table:
    """The `per_class` examples of a pool that score highest in each class: `id, label, score, rank`.

    Rows come by class and then rank, from 1; ties go to what comes first in the pool. An example stands for its
    `per_image` likeliest classes only, and may be selected for several of them. `options` are those of `predict`, and
    `per_image` and `per_class`.
    """

    def work(request: SelectRequest) -> pa.Table:
        from labelprop.runs import predict as new_data

        return new_data.select(request)

    return call(work, SelectRequest, {"run": run, "data": pool, **options}, checks.check_classifying)


@from_names(DoctorRequest, checks.check_data)
def doctor(request: DoctorRequest) -> tuple[Finding, ...]:
    """All that is wrong or doubtful about the data, with row ids, and what is done with them by default.

    Works without any label.
    """
    from labelprop.runs.doctor import examine

    found = examine(request)
    return found if request.command else tuple(replace(one, text=as_parameters(one.text)) for one in found)


def load(path: str | PathLike[str], model: Any = None) -> Run:
    """A finished run. Of a run that was trained with a module from Python `model` is that module, or its class.

    Raises RequestError where there is no such run, and where it needs a module that is not given.
    """
    with parameters_named():
        checks.finished_run(given_path("path", path))
    from labelprop.runs.run import Run

    run = Run(path, model=model)
    run.check_model()
    return run
