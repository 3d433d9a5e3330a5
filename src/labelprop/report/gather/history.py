"""Numbers by epoch, as far as a training kept them.

Shapes: C classes, H bins of certainty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Curve:
    """A number by epoch, counted from 1 over all phases; epochs that were not measured are left out."""

    epochs: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.epochs)

    @property
    def last(self) -> float:
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class NamedCurve:
    """A curve and its direct label; `own` where it is this run's."""

    name: str
    curve: Curve
    own: bool = False


@dataclass(frozen=True, slots=True)
class PhaseEpochs:
    """The first and last epoch of a phase, counted from 1 over all phases."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class History:
    """The lines that one training wrote, one an epoch."""

    lines: Sequence[Mapping[str, Any]] = ()

    @property
    def loss(self) -> Curve:
        return self._curve([line.get("loss") for line in self.lines])

    def monitored(self, name: str) -> Curve:
        """A number of the monitor."""
        return self._curve([(line.get("monitor") or {}).get(name) for line in self.lines])

    def last_list(self, name: str, length: int | None = None) -> np.ndarray:
        """The monitor's newest list, NaN where it says nothing; empty where it has none or not of that length."""
        lists = [found for line in self.lines if (found := (line.get("monitor") or {}).get(name))]
        if not lists or (length is not None and len(lists[-1]) != length):
            return np.empty(0)
        return np.array([np.nan if value is None else value for value in lists[-1]], dtype=np.float64)

    @property
    def phases(self) -> tuple[PhaseEpochs, ...]:
        found: list[PhaseEpochs] = []
        for epoch, line in enumerate(self.lines, start=1):
            name = str(line.get("phase") or "training")
            if found and found[-1].name == name:
                found[-1] = PhaseEpochs(name, found[-1].first, epoch)
            else:
                found.append(PhaseEpochs(name, epoch, epoch))
        return tuple(found)

    @property
    def epoch_of_step(self) -> dict[int, int]:
        """Steps done to epochs, both counted over all phases."""
        found, before, last = {}, 0, 0
        for epoch, line in enumerate(self.lines, start=1):
            step = int(line.get("step") or 0)
            if step <= last:  # a phase counts its steps from 0
                before += last
            last = step
            found[before + last] = epoch
        return found

    @staticmethod
    def _curve(values: Sequence[Any]) -> Curve:
        kept = [(epoch, float(v)) for epoch, v in enumerate(values, start=1) if v is not None and math.isfinite(v)]
        return Curve(tuple(epoch for epoch, _ in kept), tuple(v for _, v in kept))
