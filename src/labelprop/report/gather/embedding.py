"""The papers' analyses of a run: how its embedding and its pseudo-labels changed, measured with the truth.

Shapes: C classes, H bins of certainty, D dimensions, S rows that were followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.report.gather.page import Look, Run, read_look
from labelprop.report.gather.training import Curve, monitored, split_history

PANELS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Analyses:
    """Curves by epoch, and the last measured numbers of each class (NaN: not known); empty where there are none."""

    aggregation: Curve
    baseline_aggregation: Curve
    neighbors: Curve  # share of examples whose nearest one is of the same class
    baseline_neighbors: Curve
    pseudo: Curve  # share of pseudo-labels that are right
    weighted: Curve
    correlation: Curve  # Pearson's r of density and assigned
    aggregation_C: np.ndarray
    density_C: np.ndarray
    assigned_C: np.ndarray
    right_H: np.ndarray
    wrong_H: np.ndarray
    epochs: int

    def __bool__(self) -> bool:
        return any((self.aggregation, self.neighbors, self.pseudo))


def read_analyses(run: Run) -> Analyses:
    """From the monitor's numbers in the history."""
    own, other = split_history(run)
    c = len(run.classes)
    return Analyses(
        aggregation=monitored(own, "aggregation"),
        baseline_aggregation=monitored(other, "aggregation"),
        neighbors=monitored(own, "nearest_neighbor_accuracy"),
        baseline_neighbors=monitored(other, "nearest_neighbor_accuracy"),
        pseudo=monitored(own, "pseudo_label_accuracy"),
        weighted=monitored(own, "weighted_pseudo_label_accuracy"),
        correlation=monitored(own, "density_count_r"),
        aggregation_C=_last(own, "aggregation_of_class", c),
        density_C=_last(own, "density_of_class", c),
        assigned_C=_last(own, "assigned_to_class", c),
        right_H=_last(own, "certainty_of_right"),
        wrong_H=_last(own, "certainty_of_wrong"),
        epochs=len(own),
    )


def _last(lines: Sequence[Mapping[str, Any]], name: str, length: int | None = None) -> np.ndarray:
    """The newest list of that name as numbers; empty where there is none, or where it is not of that length."""
    lists = [found for line in lines if (found := (line.get("monitor") or {}).get(name))]
    if not lists or (length is not None and len(lists[-1]) != length):
        return np.empty(0)
    return np.array([np.nan if value is None else value for value in lists[-1]], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The followed rows as they lay after an epoch."""

    epoch: int
    look: Look


def moments(run: Run) -> list[Moment]:
    """Up to four looks, evenly spread, the first and the last among them; none where no embedding was kept."""
    epoch_of = _epoch_of_step(split_history(run)[0])
    steps = [step for step in run.looks if step in epoch_of]
    chosen = sorted({round(place) for place in np.linspace(0, len(steps) - 1, PANELS)}) if steps else []
    return [Moment(epoch_of[steps[i]], read_look(run.looks[steps[i]], run.rows.n)) for i in chosen]


def _epoch_of_step(lines: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Steps done over all phases to epochs counted from 1 over all phases."""
    found, before, last = {}, 0, 0
    for epoch, line in enumerate(lines, start=1):
        step = int(line.get("step") or 0)
        if step <= last:  # a phase counts its steps from 0
            before += last
        last = step
        found[before + last] = epoch
    return found


def class_of_rows(run: Run) -> np.ndarray:
    """(N,) the given label where there is one, else the truth; -1 where neither is known."""
    return np.where(run.rows.given_N, run.rows.label_N, run.rows.truth_N)


def near_their_own(vectors_SD: np.ndarray, code_S: np.ndarray) -> float:
    """Share of rows whose nearest other row is of the same class; ties: the first."""
    cosines_SS = vectors_SD @ vectors_SD.T
    np.fill_diagonal(cosines_SS, -np.inf)
    return float((code_S[cosines_SS.argmax(1)] == code_S).mean())
