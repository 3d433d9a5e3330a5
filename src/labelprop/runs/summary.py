"""The sentences that end a command: its results, warnings where a simpler method does better, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelprop.core.progress import WARNING
from labelprop.core.text import counted
from labelprop.evaluation.verdict import Verdict, judge
from labelprop.report.say.verdict import Asked, fewer_neighbors, last_line, other_way, simpler_way
from labelprop.report.words import by_class, capital
from labelprop.runs.prepare import PreparedTraining
from labelprop.runs.prepare_propagate import PreparedPropagation
from labelprop.runs.requests import TrainRequest
from labelprop.runs.results import Results

MOST_NAMED = 5  # classes in a sentence


def last_words(results: Results, metrics: Mapping[str, Any], asked: Asked) -> list[str]:
    """The results, warnings, and last the verdict."""
    n, verdict = metrics["unlabeled"]["n"], judge(metrics)
    warned = (*pays_not(verdict, asked, metrics["recipe"]), *empty_classes(results))
    said = [summary(metrics, asked.noun), *(f"{WARNING}{text}" for text in warned)]
    if n or verdict.grade != "not measured":
        said.append(last_line(verdict, asked, n - metrics["unlabeled"].get("unreached", 0)))
    return said


def asked_of(prepared: PreparedTraining | PreparedPropagation, n_neighbors: int | None = None) -> Asked:
    """What the run was asked to do; `n_neighbors` of its graph, where it has one."""
    request, inputs = prepared.request, prepared.inputs
    named = request.recipe if isinstance(request, TrainRequest) else request.method
    labels_N, classes = inputs.given.labels_N, inputs.given.classes
    return Asked(
        verb="train" if isinstance(request, TrainRequest) else "propagate",
        method=named if isinstance(named, str) else named.name,
        backbone=prepared.embedded.backbone is not None,
        noun=inputs.noun,
        given=by_class(np.bincount(labels_N[labels_N >= 0], minlength=len(classes)).tolist()),
        n_neighbors=fewer_neighbors(str(named), n_neighbors, len(labels_N), len(classes)),
    )


def summary(metrics: Mapping[str, Any], noun: str) -> str:
    """The results in one or two sentences."""
    n, found = metrics["unlabeled"]["n"], metrics["unlabeled"]["accuracy"]
    if n == 0:
        gave = "that you or the folders gave" if noun == "image" else "you gave"
        return f"all {metrics['n']:,} {noun}s carry the label {gave}; there was nothing else to label"
    unreached = metrics["unlabeled"].get("unreached", 0)
    open_end = f" ({unreached:,} unreached, counted as wrong)" if unreached else ""
    tested = metrics["test"]["accuracy"]
    test = f"; on the {metrics['test']['n']:,} of the test set {tested:.2%}" if tested is not None else ""
    if found is None:
        all_n = counted(n, f"unlabeled {noun}")
        labeled = all_n if unreached == 0 else f"{n - unreached:,} of {all_n}"
        rest = f", {unreached:,} unreached: nothing connects them to a label" if unreached else ""
        return f"{labeled} labeled{rest}{_hidden_summary(metrics)}{test}"
    others = {
        metrics["baseline"].get("kind", "labels only"): metrics["baseline"]["unlabeled"],
        "nearest given label": metrics.get("nearest_label", {}).get("unlabeled"),
        "propagation on the raw data": metrics["propagation_only"]["unlabeled"],
    }
    compared = ", ".join(f"{name} {value:.2%}" for name, value in others.items() if value is not None)
    scored = metrics["unlabeled"]["scored"]
    which = counted(scored, f"unlabeled {noun}") + ("" if scored == n else f" (of {n:,}) with a truth")
    return (
        f"accuracy on the {which}{open_end}: {metrics['recipe']} {found:.2%}"
        + (f" ({compared})" if compared else "")
        + test
    )


def _hidden_summary(metrics: Mapping[str, Any]) -> str:
    """How many hidden labels were found, if labels were hidden."""
    hidden = metrics.get("hidden_labels")
    if not hidden:
        return ""
    found = {
        metrics["recipe"]: hidden["right"],
        "a logistic regression": hidden["baseline_right"],
        "the nearest given label": hidden["nearest_label_right"],
    }
    shares = [f"{name} {right / hidden['n']:.2%}" for name, right in found.items() if right is not None]
    slow = f" ({metrics['recipe']} was not asked: it would take too long)" if hidden["right"] is None else ""
    return f"; of the {hidden['n']:,} given labels, hidden in turn, {', '.join(shares)} came out right{slow}"


def pays_not(verdict: Verdict, asked: Asked, method: str) -> list[str]:
    """A warning where a simpler way does better than the run, by the evidence of the verdict."""
    if verdict.ahead is None:
        return []
    way, right = verdict.ahead
    on = {
        "unlabeled": "of the unlabeled rows",
        "test": "of the test set",
        "hidden": f"of {verdict.n:,} given labels that were hidden in turn",
    }[verdict.examples or "unlabeled"]
    what = "this training" if asked.verb == "train" else "on these vectors the propagation"
    text, flag = other_way(asked, way)
    return [
        f"{simpler_way(way, asked.verb)} gets {right / verdict.n:.2%} {on} right, {method} "
        f"{verdict.right / verdict.n:.2%}: {what} {'may' if verdict.examples == 'hidden' else 'does'} not pay. "
        f"{capital(text)}{f' ({flag})' if flag else ''}."
    ]


def empty_classes(results: Results) -> list[str]:
    """A warning where classes got none of the unlabeled rows."""
    labels_N, classes = results.labeling.labels_N, results.inputs.given.classes
    counts_C = np.bincount(labels_N[results.unlabeled_N & (labels_N >= 0)], minlength=len(classes))
    empty = [name for name, count in zip(classes, counts_C, strict=True) if not count]
    if not empty or not counts_C.any():
        return []
    named = ", ".join(empty[:MOST_NAMED]) + (", ..." if len(empty) > MOST_NAMED else "")
    return [
        f"{len(empty):,} of {len(classes):,} classes got none of the unlabeled rows ({named}): there may be none, or "
        "these classes need more labels or longer training."
    ]
