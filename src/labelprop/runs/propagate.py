"""`propagate`: labels spread by one propagator over vectors, pixels or a frozen backbone's embedding."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelprop.core import registry
from labelprop.core.clock import StageClock
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.progress import Reporter, Silent, Staged, advance, heard_by
from labelprop.core.run_folder import Existing, RunFolder
from labelprop.data.contents import TensorContent
from labelprop.propagators.cost.forecast import Forecast, Size, forecast
from labelprop.runs.baselines import CHOICE_SECONDS, FOLDS, Features, Given, hide_labels, labels_only
from labelprop.runs.design import Features as SeenFeatures
from labelprop.runs.design import check_seed, open_backbone, read_features, resolve_device
from labelprop.runs.inputs import Inputs, ReadOptions, labels_digest, read_inputs, tell
from labelprop.runs.plan import check_memory, plan_lines
from labelprop.runs.propagated import Compared, Propagated, warnings_of, write_propagated
from labelprop.runs.record import versions
from labelprop.runs.results import empty_classes, summary

LOOKED_AT = 1000  # vectors, to see whether all are equal


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateRequest:
    """Everything `labelprop propagate` can be asked for; defaults are the command's."""

    data: Any
    out: Path
    labels: Any = None
    method: str = "diffusion"
    truth: Any = None
    seed: int = 0
    device: str = "auto"
    backbone: Any = None
    baselines: bool = True
    existing: Existing = "refuse"
    force: bool = False
    parameters: Mapping[str, Any] = field(default_factory=dict)
    read: ReadOptions = field(default_factory=ReadOptions)
    command: str = ""
    reporter: Reporter = field(default_factory=Silent)


def propagate(request: PropagateRequest) -> Path:
    """Propagates as requested and returns the run folder. Raises LabelpropError."""
    RunFolder.check(request.out, request.existing, resumable=False)
    check_seed(request.seed)
    clock, device = StageClock(), resolve_device(request.device)
    estimator = _estimator(request, device)
    with clock.stage("read"):
        inputs = read_inputs(request.data, request.labels, request.truth, request.read, request.reporter)
        tell(inputs, request.reporter)
        backbone = open_backbone(inputs.samples, request.backbone, request.reporter, request.seed)
        features = read_features(inputs.samples, backbone, device, request.read.cache, request.reporter)
        vectors_ND = _as_vectors(inputs, features.content)
    plan = _plan(request, inputs, vectors_ND, device)
    staged = Staged(request.reporter, plan.seconds_by_stage)
    with heard_by(staged):
        found, compared = _label(request, estimator, inputs, vectors_ND, device, plan, clock)
    del estimator  # its graph and scores are not needed for the page
    staged.advance("report", 0, 1)
    folder = RunFolder.open(request.out, request.existing)
    try:
        metrics = write_propagated(
            folder, _record(request, inputs, features, plan), inputs, found, compared, vectors_ND, clock
        )
    finally:
        folder.close()
    request.reporter.say(summary(metrics, inputs.noun))
    empty = empty_classes(found.labeling.labels_N, inputs.given.labels_N, inputs.given.classes)
    for text in (*warnings_of(metrics), *empty):
        request.reporter.say(f"warning: {text}")
    return folder.path


def _estimator(request: PropagateRequest, device: torch.device) -> Any:
    """The propagator with its parameters, checked before anything is read."""
    entry = registry.lookup("propagators", request.method)
    known = registry.propagator_flags(request.method)
    for name in request.parameters:
        if name not in known:
            raise UnknownNameError(f"parameter of {request.method}", name, known)
    estimator = entry.load()(**request.parameters, device=device.type, random_state=request.seed)
    estimator.validate()
    return estimator


def _as_vectors(inputs: Inputs, content: Any) -> np.ndarray:
    """Vectors as they are stored; images as flattened pixels, which only makes sense where all have one size."""
    if isinstance(content, TensorContent) and (content.resident or inputs.samples.modality != "image"):
        stored: np.ndarray = content.array()
        return stored.reshape(len(stored), -1)
    raise RequestError(
        f"{inputs.samples.name}: flattened pixels can be compared only where images are small and of one size; "
        "pass --image-size 32 (say), or --backbone with a pretrained network."
    )


def _plan(request: PropagateRequest, inputs: Inputs, vectors_ND: np.ndarray, device: torch.device) -> Forecast:
    """Says what is going to be done and what it will cost; refuses what will not fit."""
    size = Size(
        n=len(vectors_ND),
        d=vectors_ND.shape[1],
        n_classes=len(inputs.given.classes),
        n_seeds=int((inputs.given.labels_N >= 0).sum()),
        double=vectors_ND.dtype == np.float64,
        on_gpu=device.type == "cuda",
        baselines=request.baselines,
    )
    if len(vectors_ND) > 1 and not np.ptp(vectors_ND[:: -(-len(vectors_ND) // LOOKED_AT)], axis=0).any():
        request.reporter.say("warning: all vectors are equal (of those looked at): nothing tells the classes apart")
    plan = forecast(request.method, request.parameters, size)
    for line in plan_lines(plan, str(vectors_ND.dtype)):
        request.reporter.say(line)
    if not request.force:
        check_memory(plan)
    return plan


def _label(
    request: PropagateRequest,
    estimator: Any,
    inputs: Inputs,
    vectors_ND: np.ndarray,
    device: torch.device,
    plan: Forecast,
    clock: StageClock,
) -> tuple[Propagated, Compared | None]:
    """The propagator's labels, and those that the given labels alone would give."""
    given = inputs.given
    quick = FOLDS * plan.refit_seconds <= max(CHOICE_SECONDS, plan.fit_seconds)
    asked_again = request.baselines and inputs.truth is None and quick
    if asked_again:
        estimator.set_params(warm_start=True)  # the graph is kept for the fits with some labels hidden
    began = time.perf_counter()
    with clock.stage("propagate"):
        estimator.fit(vectors_ND, given.labels_N, sample_weight=given.weights_N)
    fit_seconds = time.perf_counter() - began
    found = Propagated.of(estimator, given.labels_N)
    if not request.baselines or (given.labels_N >= 0).all():
        return found, None

    def refit(labels_N: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings(), heard_by(Silent()):  # all was said of the fit with all labels
            warnings.simplefilter("ignore")
            estimator.fit(vectors_ND, labels_N, sample_weight=given.weights_N)
        return np.asarray(estimator.transduction_)

    advance("baselines", 0, 1)
    with clock.stage("baselines"), heard_by(Silent()):  # their searches are not the propagator's
        labels = Given(given.labels_N, given.weights_N.astype(np.float64), len(given.classes), request.seed)
        metric = "euclidean" if "euclidean" in (estimator.metric, _kernel_metric(estimator)) else "cosine"
        features = Features(vectors_ND, labels.labeled_M, device, metric)
        allowed = max(CHOICE_SECONDS, fit_seconds)
        hidden, strength = hide_labels(features, labels, refit if asked_again else None, allowed)
        return found, Compared(labels_only(features, labels, strength), hidden)


def _kernel_metric(estimator: Any) -> str:
    """The Gaussian kernel is of distances, whatever `metric` says."""
    return "euclidean" if getattr(estimator, "kernel", None) == "rbf" else "cosine"


def _record(request: PropagateRequest, inputs: Inputs, features: SeenFeatures, plan: Forecast) -> dict[str, Any]:
    """run.json, as far as it is known before the labels are."""
    return {
        "format": 1,
        "name": inputs.samples.name,
        "noun": inputs.noun,
        "command": request.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": request.method,
        "settings": {},
        "seed": request.seed,
        "device": request.device,
        "versions": versions(),
        "data": inputs.samples.digest,
        "labels": labels_digest(inputs.given),
        "backbone": features.backbone.name if features.backbone else None,
        "classes": list(inputs.given.classes),
        "plan": {"search": plan.search, "more_memory_bytes": plan.nbytes, "seconds": plan.seconds_by_stage},
        "skipped": [{"id": skipped.id, "reason": skipped.reason} for skipped in inputs.samples.skipped],
    }
