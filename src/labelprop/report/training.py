"""Curves of the training and the comparison with simpler ways, as far as the run kept them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelprop.report.gather import Run
from labelprop.report.numbers import Share
from labelprop.report.words import count

SETTLED_OVER = 0.1  # the last tenth of the epochs
SETTLED = 0.03  # moves by less than 3% of the whole way


@dataclass(frozen=True, slots=True)
class Curve:
    """A number by epoch, counted from 1 over all phases."""

    epochs: tuple[int, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        return bool(self.epochs)

    @property
    def last(self) -> float:
        return self.values[-1]

    def at(self, epoch: int) -> float | None:
        """The value at the last measured epoch up to `epoch`."""
        before = [value for e, value in zip(self.epochs, self.values, strict=True) if e <= epoch]
        return before[-1] if before else None

    @property
    def settled(self) -> bool:
        """The last tenth of the epochs (two at least) moves little against the whole way."""
        if len(self.values) < 4:
            return False
        tail = self.values[-max(2, math.ceil(SETTLED_OVER * len(self.values))) - 1 :]
        way = max(self.values) - min(self.values)
        return way == 0 or max(tail) - min(tail) <= SETTLED * way


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the training: its name and epochs, first and last counted from 1 over all phases."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to label the same examples."""

    name: str
    note: str
    share: Share
    own: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same examples labeled in several ways, this run first."""

    examples: str  # "unlabeled" or "test"
    n: int
    rivals: tuple[Rival, ...]

    @property
    def own(self) -> Share:
        return self.rivals[0].share

    @property
    def labels_only(self) -> Share | None:
        return next((rival.share for rival in self.rivals if rival.name == LABELS_ONLY), None)


LABELS_ONLY = "Labels only"


@dataclass(frozen=True, slots=True)
class Training:
    phases: tuple[Phase, ...]
    accuracy: Curve
    baseline_accuracy: Curve
    loss: Curve
    baseline_loss: Curve

    @property
    def epochs(self) -> int:
        return self.phases[-1].last if self.phases else 0


def read_training(run: Run) -> Training:
    """Splits the history into this run's lines and the baseline's."""
    ours = (None, "recipe", run.recipe)
    own = [line for line in run.history if line.get("training") in ours]
    other = [line for line in run.history if line.get("training") not in ours]
    return Training(
        phases=_phases(own),
        accuracy=_curve(own, lambda line: (line.get("monitor") or {}).get("accuracy")),
        baseline_accuracy=_curve(other, lambda line: (line.get("monitor") or {}).get("accuracy")),
        loss=_curve(own, lambda line: line.get("loss")),
        baseline_loss=_curve(other, lambda line: line.get("loss")),
    )


def _phases(lines: Sequence[Mapping[str, Any]]) -> tuple[Phase, ...]:
    phases: list[Phase] = []
    for epoch, line in enumerate(lines, start=1):
        name = str(line.get("phase") or "training")
        if phases and phases[-1].name == name:
            phases[-1] = Phase(name, phases[-1].first, epoch)
        else:
            phases.append(Phase(name, epoch, epoch))
    return tuple(phases)


def _curve(lines: Sequence[Mapping[str, Any]], value: Any) -> Curve:
    points = [(epoch, value(line)) for epoch, line in enumerate(lines, start=1)]
    kept = [(epoch, float(found)) for epoch, found in points if found is not None and math.isfinite(found)]
    return Curve(tuple(epoch for epoch, _ in kept), tuple(found for _, found in kept))


def comparisons(run: Run) -> tuple[Comparison, ...]:
    """On the unlabeled examples with truth, and on the test set; left out where there is nothing to compare with."""
    found = []
    baseline = run.metrics.get("baseline") or {}
    known = run.trust.all
    if known.n:
        wrong = baseline.get("unlabeled_wrong")
        only = (
            Share(known.n - int(wrong), known.n) if wrong is not None else _share(baseline.get("unlabeled"), known.n)
        )
        spread = _share((run.metrics.get("propagation_only") or {}).get("unlabeled"), known.n)
        found.append(_comparison(run, "unlabeled", known, only, spread))
    test = run.metrics.get("test") or {}
    own = _share(test.get("accuracy"), test.get("n") or 0)
    if own is not None:
        found.append(_comparison(run, "test", own, _share(baseline.get("test"), own.n), None))
    return tuple(comparison for comparison in found if len(comparison.rivals) > 1)


def _share(accuracy: float | None, n: int) -> Share | None:
    return Share(round(accuracy * n), n) if accuracy is not None and n else None


def _comparison(run: Run, examples: str, own: Share, only: Share | None, spread: Share | None) -> Comparison:
    rivals = [Rival("This run", f"recipe {run.recipe}", own, own=True)]
    if only is not None:
        rivals.append(Rival(LABELS_ONLY, f"the same network on the {count(run.n_given, 'given ' + run.noun)}", only))
    if spread is not None:
        rivals.append(Rival("Propagation only", _propagated(run), spread))
    return Comparison(examples, own.n, tuple(rivals))


def _propagated(run: Run) -> str:
    return {"image": "on the raw pixels", "text": "on the text embedding"}.get(run.noun, "on the vectors")
