"""`propagate`: labels spread by one propagator over vectors, pixels or a frozen backbone's embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from labelprop import registry
from labelprop.api_results import finish, run_totals, score, summary, truth_of, write_evidence
from labelprop.api_train import versions
from labelprop.clock import StageClock
from labelprop.design import read_features, resolve_device
from labelprop.errors import RequestError, UnknownNameError
from labelprop.inputs import Inputs, ReadOptions, labels_digest, read_inputs, tell
from labelprop.outputs import Labeling, labels_table
from labelprop.progress import Reporter, Silent
from labelprop.run_folder import Existing, RunFolder


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
    existing: Existing = "refuse"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    read: ReadOptions = field(default_factory=ReadOptions)
    command: str = ""
    reporter: Reporter = field(default_factory=Silent)


def propagate(request: PropagateRequest) -> Path:
    """Propagates as requested and returns the run folder. Raises LabelpropError."""
    RunFolder.check(request.out, request.existing, resumable=False)
    entry = registry.lookup("propagators", request.method)
    for name in request.parameters:
        if name not in entry.parameters:
            raise UnknownNameError(f"parameter of {request.method}", name, entry.parameters)
    clock, device = StageClock(), resolve_device(request.device)
    with clock.stage("read"):
        inputs = read_inputs(request.data, request.labels, request.truth, request.read, request.reporter)
        tell(inputs, request.reporter)
        features = read_features(inputs.samples, request.backbone, device, request.read.cache, request.reporter)
        vectors_ND = _as_vectors(inputs, features.content)
    estimator = entry.load()(**request.parameters, device=device.type, random_state=request.seed)
    request.reporter.say(f"{request.method}: {vectors_ND.shape[0]:,} vectors of {vectors_ND.shape[1]:,} dimensions")
    with clock.stage("propagate"):
        estimator.fit(vectors_ND, inputs.given.labels_N, sample_weight=inputs.given.weights_N)
    folder = RunFolder.open(request.out, request.existing)
    try:
        _write(folder, request, inputs, estimator, np.asarray(vectors_ND), clock)
    finally:
        folder.close()
    return folder.path


def _as_vectors(inputs: Inputs, content: Any) -> np.ndarray:
    """Vectors as they are; images as flattened pixels, which only makes sense where all have one size."""
    if not content.resident and inputs.samples.modality == "image":
        raise RequestError(
            f"{inputs.samples.name}: flattened pixels can be compared only where images are small and of one size; "
            "pass --image-size 32 (say), or --backbone with a pretrained network."
        )
    vectors: np.ndarray = content.read(np.arange(len(content))).flatten(1).numpy()
    return vectors if vectors.dtype != np.uint8 else vectors.astype(np.float32)


def _write(
    folder: RunFolder,
    request: PropagateRequest,
    inputs: Inputs,
    estimator: Any,
    vectors_ND: np.ndarray,
    clock: StageClock,
) -> None:
    given, classes = inputs.given, inputs.given.classes
    codes_N = np.asarray(estimator.transduction_).astype(np.int64)  # class indices, as the labels that went in
    distributions_NC = _spread(estimator, len(classes))
    labeling = Labeling.from_distributions(distributions_NC, codes_N, np.asarray(estimator.certainty_))
    labeling = labeling.with_given(given.labels_N)
    folder.write_table(
        "labels.parquet", labels_table(inputs.samples.ids, labeling, given.labels_N, classes, "propagated")
    )
    truth = truth_of(inputs)
    metrics = {
        "format": 1,
        "recipe": request.method,
        "classes": list(classes),
        "n": len(codes_N),
        "n_given": int((given.labels_N >= 0).sum()),
        "unlabeled": {"n": int((given.labels_N < 0).sum()), "accuracy": score(labeling.labels_N, truth)},
        "test": {"n": None, "accuracy": None, "top5": None},
        "baseline": {"unlabeled": None, "test": None},
        "propagation_only": {"unlabeled": None},
        "pseudo_labels": {"accuracy": None},
    } | run_totals(clock)
    folder.write_json("metrics.json", metrics)
    record = _record(request, inputs, estimator)
    folder.write_json("run.json", record | {"status": "running"})
    with clock.stage("report"):
        projection = write_evidence(folder, inputs, labeling, truth, vectors_ND, seed=request.seed)
    finish(folder, record | {"projection": projection, "status": "running"}, clock)
    request.reporter.say(summary(metrics, inputs.noun))


def _spread(estimator: Any, n_classes: int) -> np.ndarray:
    """Distributions over all classes; a class without a seed among the rows has a column of zeros."""
    found = estimator.label_distributions_
    dense = np.asarray(found.todense() if hasattr(found, "todense") else found)
    full = np.zeros((dense.shape[0], n_classes), dtype=np.float32)
    full[:, np.asarray(estimator.classes_).astype(np.int64)] = dense
    return full


def _record(request: PropagateRequest, inputs: Inputs, estimator: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "name": inputs.samples.name,
        "noun": inputs.noun,
        "command": request.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "recipe": request.method,
        "settings": {name: value for name, value in estimator.get_params().items() if value is not None},
        "seed": request.seed,
        "device": request.device,
        "versions": versions(),
        "data": inputs.samples.digest,
        "labels": labels_digest(inputs.given),
        "backbone": str(request.backbone) if request.backbone is not None else None,
        "classes": list(inputs.given.classes),
        "skipped": [{"id": skipped.id, "reason": skipped.reason} for skipped in inputs.samples.skipped],
        "verdict": {
            "converged": bool(estimator.converged_),
            "steps": int(np.max(estimator.n_iter_)),
            "residual": float(estimator.residual_),
            "recall": estimator.recall_,
        },
    }
