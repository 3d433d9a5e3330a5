"""The sentences that end a command: its results, warnings where a simpler method does better, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labelprop.evaluation.metrics import hidden_noise
from labelprop.evaluation.verdict import judge
from labelprop.report.say.verdict import AUTO, Asked, last_line
from labelprop.report.words import by_class
from labelprop.runs.inputs import Inputs
from labelprop.runs.requests import PropagateRequest, TrainRequest
from labelprop.runs.results import Results

MOST_NAMED = 5  # classes in a sentence


def say_results(results: Results, metrics: Mapping[str, Any], asked: Asked) -> None:
    """Reports results and warnings, and last the verdict."""
    reporter, n = results.reporter, metrics["unlabeled"]["n"]
    reporter.say(summary(metrics, asked.noun))
    pays_not = training_pays_not if asked.verb == "train" else propagation_pays_not
    for text in (*pays_not(metrics, asked.method), *empty_classes(results)):
        reporter.say(f"warning: {text}")
    verdict = judge(metrics)
    if n or verdict.grade != "not measured":
        reporter.say(last_line(verdict, asked, n - metrics["unlabeled"].get("unreached", 0)))


def asked_of(request: TrainRequest | PropagateRequest, inputs: Inputs) -> Asked:
    """What the run was asked to do."""
    named = request.recipe if isinstance(request, TrainRequest) else request.method
    labels_N, classes = inputs.given.labels_N, inputs.given.classes
    return Asked(
        verb="train" if isinstance(request, TrainRequest) else "propagate",
        method=named if isinstance(named, str) else named.name,
        backbone=request.backbone is not None,
        noun=inputs.noun,
        given=by_class(np.bincount(labels_N[labels_N >= 0], minlength=len(classes)).tolist()),
    )


def summary(metrics: Mapping[str, Any], noun: str) -> str:
    """The results in one or two sentences."""
    n, found = metrics["unlabeled"]["n"], metrics["unlabeled"]["accuracy"]
    if n == 0:
        gave = "that you or the folders gave" if noun == "image" else "you gave"
        return f"all {metrics['n']:,} {noun}s carry the label {gave}; there was nothing else to label"
    unreached = metrics["unlabeled"].get("unreached", 0)
    open_end = f" ({unreached:,} unreached ones count as wrong)" if unreached else ""
    tested = metrics["test"]["accuracy"]
    test = f"; on the {metrics['test']['n']:,} of the test set {tested:.2%}" if tested is not None else ""
    if found is None:
        labeled = f"{n:,} unlabeled {noun}s" if unreached == 0 else f"{n - unreached:,} of {n:,} unlabeled {noun}s"
        rest = f", {unreached:,} unreached: nothing connects them to a label" if unreached else ""
        return f"{labeled} labeled{rest}{_hidden_summary(metrics)}{test}"
    others = {
        metrics["baseline"].get("kind", "labels only"): metrics["baseline"]["unlabeled"],
        "nearest given label": metrics.get("nearest_label", {}).get("unlabeled"),
        "propagation on the raw data": metrics["propagation_only"]["unlabeled"],
    }
    compared = ", ".join(f"{name} {value:.2%}" for name, value in others.items() if value is not None)
    scored = metrics["unlabeled"]["scored"]
    which = f"{n:,} unlabeled {noun}s" if scored == n else f"{scored:,} unlabeled {noun}s (of {n:,}) with a truth"
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


def training_pays_not(metrics: Mapping[str, Any], asked: str) -> list[str]:
    """A warning where a simpler method than the training does better on the unlabeled rows."""
    own, method = metrics["unlabeled"]["accuracy"], metrics["recipe"]
    others = {
        "the same network on the given labels alone": metrics["baseline"]["unlabeled"],
        "propagation on the raw data": metrics["propagation_only"]["unlabeled"],
    }
    other = "" if asked == AUTO else ", or take another recipe (--recipe auto tries some)"
    return [
        f"{name} gets {share:.2%} right, {method} {own:.2%}: this training does not pay. Train longer{other}."
        for name, share in _best_above(own, others)
    ]


def propagation_pays_not(metrics: Mapping[str, Any], asked: str) -> list[str]:
    """A warning where the given labels alone do better, by the truth or else by hidden labels."""
    own, method = metrics["unlabeled"]["accuracy"], metrics["recipe"]
    others = {
        "a logistic regression on the given labels": metrics["baseline"]["unlabeled"],
        "the nearest given label": metrics["nearest_label"]["unlabeled"],
    }
    how, pays, noise = "of the unlabeled rows", "does not pay", 0.0
    hidden = metrics["hidden_labels"]
    if own is None and hidden is not None and hidden["right"] is not None:
        own = hidden["right"] / hidden["n"]
        names = ("baseline_right", "nearest_label_right")
        others = {name: hidden[key] / hidden["n"] for name, key in zip(others, names, strict=True)}
        how, pays = f"of {hidden['n']:,} given labels that were hidden in turn", "may not pay"
        noise = hidden_noise(hidden["n"]) / hidden["n"]
    return [
        f"{name} gets {share:.2%} {how} right, {method} {own:.2%}: on these vectors the propagation {pays}. "
        f"Try {'' if asked == AUTO else '--method auto or '}other vectors, or use the simpler labels."
        for name, share in _best_above(None if own is None else own + noise, others)
    ]


def _best_above(own: float | None, others: Mapping[str, float | None]) -> list[tuple[str, float]]:
    """Name and share of the best that does better than `own`; empty where none does, or `own` is unknown."""
    better = [
        (name, value) for name, value in others.items() if value is not None and own is not None and value > own
    ]
    return [max(better, key=lambda found: found[1])] if better else []


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
