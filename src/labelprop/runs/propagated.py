"""The results of a propagation: labels, metrics with the baselines beside them, the page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.core.files import json_setting
from labelprop.core.run_folder import RunFolder
from labelprop.runs.baselines import HiddenCounts, LabelsOnly
from labelprop.runs.prepare_propagate import PreparedPropagation
from labelprop.runs.results import Results
from labelprop.runs.summary import asked_of, last_words
from labelprop.runs.tables import Labeling

# Recorded elsewhere, or without effect on the labels.
NOT_SETTINGS = ("device", "random_state", "verbose", "warm_start")


@dataclass(frozen=True, slots=True, eq=False)
class Propagated:
    """Results of a fitted propagator, without its graph and scores, which are far larger."""

    labeling: Labeling
    settings: dict[str, Any]
    verdict: dict[str, Any]
    labels_only: LabelsOnly | None = None  # labels that need no unlabeled rows, to compare
    hidden: HiddenCounts | None = None  # how both sides did on given labels that were hidden

    @classmethod
    def of(cls, estimator: Any, given_N: np.ndarray) -> Propagated:
        """`estimator` was fitted to class numbers."""
        codes_N = np.asarray(estimator.transduction_).astype(np.int64)
        certainty_N = np.asarray(estimator.certainty_)
        labeling = Labeling.from_distributions(estimator.label_distributions_, codes_N, certainty_N)
        settings = {
            name: json_setting(value)
            for name, value in estimator.get_params(deep=False).items()
            if value is not None and name not in NOT_SETTINGS
        }
        verdict: dict[str, Any] = {
            "converged": bool(estimator.converged_),
            "steps": int(np.max(estimator.n_iter_)),
            "residual": float(estimator.residual_),
            "recall": None if estimator.recall_ is None else float(estimator.recall_),
        }
        chosen = getattr(estimator, "method_", None)
        if chosen is not None:
            found = ("n_neighbors", "metric", "sharpness", "reason")
            verdict |= {"chosen": chosen} | {name: getattr(estimator, f"{name}_") for name in found}
            members = [{"name": name, "settings": own, "weight": weight} for name, own, weight in estimator.members_]
            verdict["members"] = members
        return cls(labeling.with_given(given_N), settings, verdict)


def write_propagated(
    folder: RunFolder, record: dict[str, Any], prepared: PreparedPropagation, found: Propagated
) -> None:
    """All files of the run, each whole or not at all; run.json says 'finished' last.

    `record` is what goes into run.json beside what is known here.
    """
    results = Results.of(prepared.request, folder, prepared.inputs, found.labeling, prepared.clock)
    with prepared.clock.stage("write"):
        results.write_labels("propagated")
    metrics = _metrics(prepared.request.method, results, found)
    record |= {"settings": found.settings, "verdict": found.verdict}
    results.write_metrics(metrics)
    folder.write_json("run.json", record | {"status": "running"})
    with prepared.clock.stage("report"):
        projection = results.write_evidence(prepared.vectors_ND)
    results.write_metrics(metrics)
    asked = asked_of(prepared, found.settings.get("n_neighbors"))
    results.finish(record | {"projection": projection}, last_words(results, metrics, asked))


def _metrics(method: str, results: Results, found: Propagated) -> dict[str, Any]:
    """metrics.json; `baseline` is the logistic regression on the given labels."""
    metrics, alone, hidden = results.metrics(method), found.labels_only, found.hidden
    metrics["unlabeled"]["unreached"] = int((found.labeling.labels_N < 0).sum())
    metrics["baseline"] |= {"kind": "logistic regression"} | results.compared(alone.logistic_N if alone else None)
    return metrics | {
        "nearest_label": results.compared(alone.nearest_N if alone else None),
        "hidden_labels": None
        if hidden is None
        else {
            "n": hidden.n,
            "folds": hidden.folds,
            "right": hidden.propagated,
            "baseline_right": hidden.logistic,
            "nearest_label_right": hidden.nearest,
        },
    }
