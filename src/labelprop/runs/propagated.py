"""What a propagation leaves behind: labels, metrics with the baselines beside them, evidence for the page, the page.

Here, after all labels are fixed, they meet the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.core.run_folder import RunFolder
from labelprop.evaluation.metrics import hidden_noise
from labelprop.evaluation.truth import HeldBackTruth
from labelprop.runs.baselines import Hidden, LabelsOnly
from labelprop.runs.inputs import Inputs, truth_of
from labelprop.runs.prepare_propagate import Prepared
from labelprop.runs.results import best_above, finish, run_totals, score, share_equal, write_evidence, wrong
from labelprop.runs.tables import Labeling, labels_table

NOT_SETTINGS = ("device", "random_state", "verbose", "warm_start")  # said elsewhere, or of no effect on the labels


@dataclass(frozen=True, slots=True, eq=False)
class Propagated:
    """What is kept of a fitted propagator: little beside its graph and its scores."""

    labeling: Labeling
    settings: dict[str, Any]
    verdict: dict[str, Any]
    labels_only: LabelsOnly | None = None  # labels that need no unlabeled rows, to compare
    hidden: Hidden | None = None  # how both sides did on given labels that were hidden

    @classmethod
    def of(cls, estimator: Any, given_N: np.ndarray) -> Propagated:
        """`estimator` was fitted to class numbers."""
        codes_N = np.asarray(estimator.transduction_).astype(np.int64)
        certainty_N = np.asarray(estimator.certainty_)
        labeling = Labeling.from_distributions(estimator.label_distributions_, codes_N, certainty_N)
        settings = {
            name: _plain(value)
            for name, value in estimator.get_params(deep=False).items()
            if value is not None and name not in NOT_SETTINGS
        }
        verdict = {
            "converged": bool(estimator.converged_),
            "steps": int(np.max(estimator.n_iter_)),
            "residual": float(estimator.residual_),
            "recall": None if estimator.recall_ is None else float(estimator.recall_),
        }
        chosen = getattr(estimator, "method_", None)
        if chosen is not None:
            verdict |= {"chosen": chosen, "n_neighbors": estimator.n_neighbors_, "reason": estimator.reason_}
        return cls(labeling.with_given(given_N), settings, verdict)


def write_propagated(
    folder: RunFolder, record: dict[str, Any], prepared: Prepared, found: Propagated
) -> dict[str, Any]:
    """All files of the run, each whole or not at all; run.json says 'finished' last. Returns the metrics.

    `record` is what goes into run.json beside what is known here.
    """
    inputs, labeling, clock = prepared.inputs, found.labeling, prepared.clock
    given, truth = inputs.given, truth_of(inputs)
    with clock.stage("write"):
        table = labels_table(inputs.samples.ids, labeling, given.labels_N, given.classes, "propagated")
        folder.write_table("labels.parquet", table)
    metrics = _metrics(record["recipe"], inputs, found, truth)
    record |= {"settings": found.settings, "verdict": found.verdict}
    folder.write_json("metrics.json", metrics | run_totals(clock))
    folder.write_json("run.json", record | {"status": "running"})
    with clock.stage("report"):
        projection = write_evidence(folder, inputs, labeling, truth, prepared.vectors_ND, seed=record["seed"])
    metrics |= run_totals(clock)
    folder.write_json("metrics.json", metrics)
    finish(folder, record | {"projection": projection, "status": "running"}, clock)
    return metrics


def _metrics(method: str, inputs: Inputs, found: Propagated, truth: HeldBackTruth | None) -> dict[str, Any]:
    """metrics.json; `baseline` is the logistic regression on the given labels."""
    given_N, labeling, alone, hidden = inputs.given.labels_N, found.labeling, found.labels_only, found.hidden
    logistic = _against(alone.logistic_N if alone else None, labeling, given_N, truth)
    nearest = _against(alone.nearest_N if alone else None, labeling, given_N, truth)
    return {
        "format": 1,
        "recipe": method,
        "classes": list(inputs.given.classes),
        "n": len(given_N),
        "n_given": int((given_N >= 0).sum()),
        "unlabeled": {
            "n": int((given_N < 0).sum()),
            "scored": 0 if truth is None else truth.n,
            "accuracy": score(labeling.labels_N, truth),
            "unreached": int((labeling.labels_N < 0).sum()),
        },
        "test": {"n": None, "accuracy": None, "top5": None},
        "baseline": {"test": None, "kind": "logistic regression"} | logistic,
        "nearest_label": nearest,
        "hidden_labels": None
        if hidden is None
        else {
            "n": hidden.n,
            "folds": hidden.folds,
            "right": hidden.propagated,
            "baseline_right": hidden.logistic,
            "nearest_label_right": hidden.nearest,
        },
        "propagation_only": {"unlabeled": None},
        "pseudo_labels": {"accuracy": None},
    }


def _against(
    labels_N: np.ndarray | None, labeling: Labeling, given_N: np.ndarray, truth: HeldBackTruth | None
) -> dict[str, Any]:
    """How right these labels are, and how far they agree with the propagator's."""
    if labels_N is None:
        return {"unlabeled": None, "unlabeled_wrong": None, "agreement": None}
    return {
        "unlabeled": score(labels_N, truth),
        "unlabeled_wrong": wrong(labels_N, truth),
        "agreement": share_equal(labels_N, labeling.labels_N, given_N < 0),
    }


def warnings_of(metrics: dict[str, Any]) -> list[str]:
    """Said where the given labels alone do better than the propagation: measured, else estimated."""
    own, method = metrics["unlabeled"]["accuracy"], metrics["recipe"]
    rivals = {
        "a logistic regression on the given labels": metrics["baseline"]["unlabeled"],
        "the nearest given label": metrics["nearest_label"]["unlabeled"],
    }
    how, pays, noise = "of the unlabeled rows", "does not pay", 0.0
    hidden = metrics["hidden_labels"]
    if own is None and hidden is not None and hidden["right"] is not None:
        own = hidden["right"] / hidden["n"]
        names = ("baseline_right", "nearest_label_right")
        rivals = {name: hidden[key] / hidden["n"] for name, key in zip(rivals, names, strict=True)}
        how, pays = f"of {hidden['n']:,} given labels that were hidden in turn", "may not pay"
        noise = hidden_noise(hidden["n"]) / hidden["n"]
    found = best_above(None if own is None else own + noise, rivals)
    if found is None:
        return []
    name, share = found
    return [
        f"{name} gets {share:.2%} {how} right, {method} {own:.2%}: on these vectors the propagation {pays}. "
        "Try --method auto or other vectors, or use the simpler labels."
    ]


def _plain(value: Any) -> Any:
    """A parameter as JSON has it: arrays as lists."""
    return value.tolist() if hasattr(value, "tolist") else list(value) if isinstance(value, tuple) else value
