"""Curves of the training, as far as the run kept them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelprop.report.gather.page import Run

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
class Training:
    phases: tuple[Phase, ...]
    accuracy: Curve
    baseline_accuracy: Curve
    loss: Curve
    baseline_loss: Curve

    @property
    def last_phase(self) -> Phase | None:
        """Where there is more than one."""
        return self.phases[-1] if len(self.phases) > 1 else None

    @property
    def epochs(self) -> int:
        return self.phases[-1].last if self.phases else 0


def read_training(run: Run) -> Training:
    """The curves of this run and of the baseline."""
    own, other = split_history(run)
    return Training(
        phases=_phases(own),
        accuracy=monitored(own, "accuracy"),
        baseline_accuracy=monitored(other, "accuracy"),
        loss=_curve(own, lambda line: line.get("loss")),
        baseline_loss=_curve(other, lambda line: line.get("loss")),
    )


def split_history(run: Run) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """This run's lines of the history, and the baseline's."""
    ours = (None, "recipe", run.recipe)
    own = [line for line in run.history if line.get("training") in ours]
    return own, [line for line in run.history if line.get("training") not in ours]


def monitored(lines: Sequence[Mapping[str, Any]], name: str) -> Curve:
    """A number of the monitor by epoch."""
    return _curve(lines, lambda line: (line.get("monitor") or {}).get(name))


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
