"""`propagate`: labels spread by one propagator over vectors, pixels or a frozen backbone's embedding."""

from __future__ import annotations

import time
import warnings
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from labelprop.core.progress import Silent, Staged, advance, reporting_to
from labelprop.core.run_folder import RunFolder
from labelprop.propagators.cost.forecast import Forecast, forecast
from labelprop.propagators.cost.stages import Size
from labelprop.runs.baselines import CHOICE_SECONDS, FOLDS, ScaledRows, hide_labels, labels_only
from labelprop.runs.closing import closing_seconds
from labelprop.runs.plan import check_memory, plan_lines
from labelprop.runs.prepare_propagate import PreparedPropagation, prepare_propagation
from labelprop.runs.propagated import Propagated, write_propagated
from labelprop.runs.record import head
from labelprop.runs.requests import PropagateRequest

LOOKED_AT = 1000  # vectors that are checked for being all equal


def propagate(request: PropagateRequest) -> Path:
    """Propagates as requested and returns the run folder. Raises LabelpropError."""
    prepared = prepare_propagation(request)
    plan = _plan(prepared)
    staged = Staged(request.reporter, plan.seconds_by_stage)
    with reporting_to(staged):
        found = _label(prepared, plan)
    staged.advance("report", 0, 1)
    with closing(RunFolder.open(request.out, request.existing)) as folder:
        write_propagated(folder, _record(prepared, plan), prepared, found)
    return request.out


def _plan(prepared: PreparedPropagation) -> Forecast:
    """Reports the plan with its forecast; refuses what does not fit in memory."""
    request, inputs, vectors_ND = prepared.request, prepared.inputs, prepared.vectors_ND
    size = Size(
        n=len(vectors_ND),
        d=vectors_ND.shape[1],
        n_classes=len(inputs.given.classes),
        n_seeds=int((inputs.given.labels_N >= 0).sum()),
        double=vectors_ND.dtype == np.float64,
        on_gpu=prepared.device.type == "cuda",
        baselines=request.baselines,
    )
    if len(vectors_ND) > 1 and not np.ptp(vectors_ND[:: -(-len(vectors_ND) // LOOKED_AT)], axis=0).any():
        request.reporter.say("warning: all vectors are equal (of those looked at): nothing tells the classes apart")
    plan = _with_comparisons(forecast(request.method, request.parameters, size), prepared)
    for line in plan_lines(plan, str(vectors_ND.dtype)):
        request.reporter.say(line)
    if not request.force:
        check_memory(plan)
    return plan


def _with_comparisons(plan: Forecast, prepared: PreparedPropagation) -> Forecast:
    """With the seconds of the page, and of propagating again with some labels hidden."""
    around = {"report": closing_seconds(prepared.inputs.samples, prepared.request.report)}
    if _asks_again(prepared, plan):
        around["baselines"] = plan.seconds_by_stage["baselines"] + FOLDS * plan.refit_seconds
    return replace(plan, seconds_by_stage={**plan.seconds_by_stage, **around})


def _asks_again(prepared: PreparedPropagation, plan: Forecast) -> bool:
    """Whether the propagation is repeated with some labels hidden, to see how many it finds."""
    quick = FOLDS * plan.refit_seconds <= max(CHOICE_SECONDS, plan.fit_seconds)
    return prepared.request.baselines and prepared.inputs.truth is None and quick


def _label(prepared: PreparedPropagation, plan: Forecast) -> Propagated:
    """The propagator's labels, and those that the given labels alone would give."""
    request, vectors_ND, clock = prepared.request, prepared.vectors_ND, prepared.clock
    estimator = clone(prepared.estimator)  # gone with its graph and scores before the page is made
    given = prepared.inputs.given
    asked_again = _asks_again(prepared, plan)
    if asked_again:
        estimator.set_params(warm_start=True)  # the graph is kept for the fits with some labels hidden
    began = time.perf_counter()
    with clock.stage("propagate"):
        estimator.fit(vectors_ND, given.labels_N, sample_weight=given.weights_N)
    fit_seconds = time.perf_counter() - began
    found = Propagated.of(estimator, given.labels_N)
    if not request.baselines or (given.labels_N >= 0).all():
        return found

    def refit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings(), reporting_to(Silent()):  # the fit with all labels has warned already
            warnings.simplefilter("ignore")
            estimator.fit(vectors_ND, shown_N, sample_weight=given.weights_N)
        found_H: np.ndarray = estimator.transduction_[row_H]
        return found_H

    advance("baselines", 0, 1)
    with clock.stage("baselines"), reporting_to(Silent()):  # the stages forecast are the propagator's
        compared = getattr(estimator, "metric_", estimator.metric)  # that which `auto` chose
        metric = "euclidean" if "euclidean" in (compared, _kernel_metric(estimator)) else "cosine"
        scaled = ScaledRows(vectors_ND, given.labels_N, prepared.device, metric)
        allowed = max(CHOICE_SECONDS, fit_seconds)
        hidden, C = hide_labels(scaled, given, refit if asked_again else None, request.seed, allowed)
        return replace(found, labels_only=labels_only(scaled, given, C, request.seed), hidden=hidden)


def _kernel_metric(estimator: Any) -> str:
    """The Gaussian kernel uses distances, whatever `metric` is."""
    return "euclidean" if getattr(estimator, "kernel", None) == "rbf" else "cosine"


def _record(prepared: PreparedPropagation, plan: Forecast) -> dict[str, Any]:
    """run.json, as far as it is known before the labels are."""
    request, backbone = prepared.request, prepared.embedded.backbone
    return head(request, prepared.inputs) | {
        "recipe": request.method,
        "device": request.device,
        "backbone": backbone.name if backbone else None,
        "chosen": {"backbone": prepared.embedded.why} if prepared.embedded.why else {},
        "plan": {"search": plan.search, "more_memory_bytes": plan.nbytes, "seconds": plan.seconds_by_stage},
    }
