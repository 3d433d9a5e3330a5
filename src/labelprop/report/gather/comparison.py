"""This run against simpler ways to label the same examples, as far as the run kept them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from labelprop.report.gather.numbers import Share
from labelprop.report.gather.page import Run
from labelprop.report.words import count, number

Examples = Literal["unlabeled", "test", "hidden"]


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to label the same examples; `simple` where it needs the given labels alone."""

    name: str
    note: str
    share: Share
    own: bool = False
    simple: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same examples labeled in several ways, this run first.

    "hidden" are given labels, each hidden once and asked for: an estimate, where no truth was given.
    """

    examples: Examples
    n: int
    rivals: tuple[Rival, ...]

    @property
    def own(self) -> Share:
        return self.rivals[0].share

    @property
    def simplest(self) -> Rival | None:
        """The best of the ways that need the given labels alone."""
        simple = [rival for rival in self.rivals if rival.simple]
        return max(simple, key=lambda rival: rival.share.right) if simple else None

    @property
    def labels_only(self) -> Share | None:
        return self.simplest.share if self.simplest else None


def comparisons(run: Run) -> tuple[Comparison, ...]:
    """On the unlabeled examples with truth, on given labels that were hidden, and on the test set.

    Left out where there is nothing to compare with.
    """
    found = [_measured(run), _estimated(run), _tested(run)]
    return tuple(comparison for comparison in found if comparison is not None and len(comparison.rivals) > 1)


def _measured(run: Run) -> Comparison | None:
    """On all unlabeled examples with truth; those that this run did not reach count as wrong."""
    own = Share(run.trust.all.right, int((~run.rows.given_N & (run.rows.truth_N >= 0)).sum()))
    if not own.n:
        return None
    baseline, nearest = _part(run, "baseline"), _part(run, "nearest_label")
    rivals = [
        _own(run, own),
        _labels_only(run, _share(baseline, own.n)),
        _nearest(run, _share(nearest, own.n)),
        _propagated(run, _share(_part(run, "propagation_only"), own.n)),
    ]
    return Comparison("unlabeled", own.n, tuple(rival for rival in rivals if rival is not None))


def _estimated(run: Run) -> Comparison | None:
    hidden = _part(run, "hidden_labels")
    n, right = int(hidden.get("n") or 0), hidden.get("right")
    if not n or right is None:
        return None

    def share(key: str) -> Share | None:
        return Share(int(hidden[key]), n) if hidden.get(key) is not None else None

    rivals = [
        _own(run, Share(int(right), n)),
        _labels_only(run, share("baseline_right")),
        _nearest(run, share("nearest_label_right")),
    ]
    return Comparison("hidden", n, tuple(rival for rival in rivals if rival is not None))


def _tested(run: Run) -> Comparison | None:
    test = _part(run, "test")
    n, accuracy = int(test.get("n") or 0), test.get("accuracy")
    if not n or accuracy is None:
        return None
    rivals = [
        _own(run, Share(round(accuracy * n), n)),
        _labels_only(run, _share({"unlabeled": _part(run, "baseline").get("test")}, n)),
    ]
    return Comparison("test", n, tuple(rival for rival in rivals if rival is not None))


def _part(run: Run, name: str) -> Mapping[str, Any]:
    return run.metrics.get(name) or {}


def _share(found: Mapping[str, Any], n: int) -> Share | None:
    """From the count of errors where it is known, else from the accuracy."""
    wrong, accuracy = found.get("unlabeled_wrong"), found.get("unlabeled")
    if wrong is not None:
        return Share(n - int(wrong), n)
    return Share(round(accuracy * n), n) if accuracy is not None and n else None


def _own(run: Run, share: Share) -> Rival:
    return Rival("This run", f"{'recipe' if run.verb == 'train' else 'method'} {run.recipe}", share, own=True)


def _labels_only(run: Run, share: Share | None) -> Rival | None:
    if share is None:
        return None
    return Rival(
        "Labels only", f"{labels_only_name(run)} on the {count(run.n_given, 'given ' + run.noun)}", share, simple=True
    )


def labels_only_name(run: Run) -> str:
    """What was fitted to the given labels alone."""
    kind = _part(run, "baseline").get("kind")
    return f"a {kind}" if kind else "the same network"


def _nearest(run: Run, share: Share | None) -> Rival | None:
    if share is None:
        return None
    return Rival("Nearest label", f"the label of the most similar given {run.noun}", share, simple=True)


def _propagated(run: Run, share: Share | None) -> Rival | None:
    if share is None:
        return None
    where = {"image": "on the raw pixels", "text": "on the text embedding"}.get(run.noun, "on the vectors")
    return Rival("Propagation only", where, share)


def comparison_heading(comparison: Comparison | None, noun: str) -> str:
    """The same of a run without training."""
    only = comparison.labels_only if comparison else None
    if comparison is None or only is None:
        return "How far simpler ways agree"
    return gain_heading(comparison, only, noun)


def gain_heading(comparison: Comparison, only: Share, noun: str) -> str:
    """Errors of the labels alone that the unlabeled examples removed, or added."""
    own, where = comparison.own, " on the test set" if comparison.examples == "test" else ""
    if comparison.examples == "hidden":
        better = "more" if own.right > only.right else "fewer" if own.right < only.right else "as many"
        than = f"{better} {'as' if better == 'as many' else 'than'} the labels alone"
        return f"By estimate: {number(own.right)} of {count(own.n, 'hidden label')} found, {than}"
    if only.wrong == 0 and own.wrong == 0:
        return f"The labels alone were enough: no error{where} with or without the rest"
    if own.wrong < only.wrong:
        removed = f"{number(only.wrong - own.wrong)} of {count(only.wrong, 'error')}"
        if own.wrong == 0:
            removed = "the one error" if only.wrong == 1 else f"all {number(only.wrong)} errors"
        return f"The unlabeled {noun}s removed {removed}{where}"
    if own.wrong == only.wrong:
        return f"No gain{where}: {count(own.wrong, 'error')} with and without the unlabeled {noun}s"
    return f"The labels alone do better{where}: {count(only.wrong, 'error')} against {number(own.wrong)}"
