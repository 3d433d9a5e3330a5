"""This run against simpler ways to label the same examples, as far as the run kept them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelprop.core.text import counted
from labelprop.evaluation.metrics import hidden_noise
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.numbers import Share

OWN, LABELS_ONLY, NEAREST, PROPAGATED = "This run", "Labels only", "Nearest label", "Propagation only"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to label the same examples."""

    name: str
    note: str
    share: Share


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same examples labeled in several ways, this run first.

    `examples`: "unlabeled" ones with truth, those of the "test" set, or "hidden" ones: given labels, each hidden once
    and asked for, an estimate where no truth was given.
    """

    examples: str
    n: int
    ways: tuple[Way, ...]

    @property
    def own(self) -> Share:
        return self.ways[0].share

    @property
    def simplest(self) -> Way | None:
        """The best of the ways that need the given labels alone."""
        simple = [way for way in self.ways if way.name in (LABELS_ONLY, NEAREST)]
        return max(simple, key=lambda way: way.share.right) if simple else None

    @property
    def does_not_pay(self) -> bool:
        """The labels alone find more of the hidden labels than chance explains."""
        behind = self.simplest.share.right - self.own.right if self.simplest else 0
        return self.examples == "hidden" and behind > hidden_noise(self.n)


def comparisons(run: FinishedRun) -> tuple[Comparison, ...]:
    """On the unlabeled examples with truth, on given labels that were hidden, and on the test set.

    Left out where there is nothing to compare with. Unlabeled examples that this run did not reach count as wrong.
    """
    parts = {name: run.metrics.get(name) or {} for name in ("baseline", "nearest_label", "propagation_only")}
    baseline, nearest, propagated = parts.values()
    hidden = run.metrics.get("hidden_labels") or {}
    n = int((~run.rows.given_N & (run.rows.truth_N >= 0)).sum())
    n_test, on_test = (run.test.n, run.test.right) if run.test else (0, None)
    measured: Mapping[str, int | None] = {
        OWN: run.trust.all.right,
        LABELS_ONLY: _right(baseline, n),
        NEAREST: _right(nearest, n),
        PROPAGATED: _right(propagated, n),
    }
    estimated = {
        OWN: hidden.get("right"),
        LABELS_ONLY: hidden.get("baseline_right"),
        NEAREST: hidden.get("nearest_label_right"),
    }
    tested = {OWN: on_test, LABELS_ONLY: _right({"unlabeled": baseline.get("test")}, n_test)}
    found = [
        _compared(run, "unlabeled", n, measured),
        _compared(run, "hidden", int(hidden.get("n") or 0), estimated),
        _compared(run, "test", n_test, tested),
    ]
    return tuple(comparison for comparison in found if comparison.n and len(comparison.ways) > 1)


def _compared(run: FinishedRun, examples: str, n: int, right: Mapping[str, int | None]) -> Comparison:
    """`right` by name, None where a way was not tried; without this run's own there is nothing to compare."""
    kind = (run.metrics.get("baseline") or {}).get("kind")
    simple = f"a {kind}" if kind else "the same network"
    seen = "on the embedding" if run.backbone else "on the raw pixels" if run.noun == "image" else "on the vectors"
    notes = {
        OWN: f"{run.kind_of_method} {run.recipe}",
        LABELS_ONLY: f"{simple} on the {counted(run.n_given, 'given ' + run.noun)}",
        NEAREST: f"the label of the most similar given {run.noun}",
        PROPAGATED: seen,
    }
    found = [Way(name, notes[name], Share(int(k), n)) for name, k in right.items() if k is not None]
    return Comparison(examples, n, tuple(found) if right[OWN] is not None else ())


def _right(part: Mapping[str, Any], n: int) -> int | None:
    """From the count of errors where it is known, else from the accuracy."""
    wrong, accuracy = part.get("unlabeled_wrong"), part.get("unlabeled")
    if wrong is not None:
        return n - int(wrong)
    return round(accuracy * n) if accuracy is not None and n else None
