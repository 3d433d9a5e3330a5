"""Headings of the section on the embedding: what the papers' analyses say of this run, or their plain form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelprop.core.text import counted
from labelprop.evaluation.metrics import Z95
from labelprop.report.gather.history import Curve
from labelprop.report.gather.numbers import percent_of, signed
from labelprop.report.words import brief, by_class, number

STANDS_OUT = 0.05  # of aggregation, whose range is 1: a smaller gap to the next class is within its noise
STRUCTURE = 0.5  # of a silhouette (Kaufman & Rousseeuw 1990: below it groups are weak)


def embedding_heading(aggregation: Curve) -> str:
    """Where the aggregation went."""
    if not aggregation:
        return "The embedding and the pseudo-labels, against your truth"
    return f"Aggregation of the classes: {aggregation.values[0]:.2f} at first, {aggregation.last:.2f} at last"


def class_aggregation_heading(aggregation_C: np.ndarray, names: Sequence[str]) -> str:
    """The least aggregated class where it stands out; else the spread."""
    known = np.flatnonzero(np.isfinite(aggregation_C))
    ordered = known[np.argsort(aggregation_C[known], kind="stable")]
    values = aggregation_C[ordered]
    if len(values) > 2 and values[1] - values[0] >= STANDS_OUT:
        return f"{brief(names[ordered[0]])} is the least aggregated class: {values[0]:.2f}"
    return f"Aggregation from {values[0]:.2f} to {values[-1]:.2f}"


def density_heading(r: float | None, classes: int) -> str:
    """Whether dense classes get more pseudo-labels, said only where r differs from 0 by its 95% interval (Fisher)."""
    if r is None:
        return "Density and number of pseudo-labels, by class"
    stated = f"r\u00a0=\u00a0{signed(r)} over {number(classes)} classes"
    # Fisher's z of r has the standard error 1 / sqrt(n - 3); r of 1 has none.
    if classes > 3 and np.arctanh(min(abs(r), 0.999999)) * np.sqrt(classes - 3) > Z95:
        return f"Dense classes get {'more' if r > 0 else 'fewer'} pseudo-labels: {stated}"
    return f"Density and number of pseudo-labels: {stated}"


def counts_heading(assigned_C: np.ndarray) -> str:
    """Pseudo-labels a class, and the classes without any."""
    empty = int((assigned_C == 0).sum())
    return f"Pseudo-labels: {by_class(assigned_C.astype(int).tolist())}" + (
        f", none in {number(empty)}" * (empty > 0)
    )


def certainty_heading(right_H: np.ndarray, wrong_H: np.ndarray) -> str:
    """How many of both lie below the certainty under which half of the wrong ones are, where that is below 1."""
    right, wrong = int(right_H.sum()), int(wrong_H.sum())
    half = int(np.searchsorted(wrong_H.cumsum(), wrong / 2)) + 1
    if not wrong or half == len(wrong_H):
        return f"{counted(right + wrong, 'pseudo-label')}, {number(wrong)} wrong"
    found = f"{number(int(wrong_H[:half].sum()))} of {number(wrong)} wrong pseudo-labels"
    return f"{found}, {number(int(right_H[:half].sum()))} of {number(right)} right, below {half / len(right_H):.2f}"


def over_time_heading(classes: int, own: Sequence[float]) -> str:
    """`own`: share of the followed examples nearest to one of their own class, at each moment."""
    share = f": {percent_of(own[-1])} nearest to their own, {percent_of(own[0])} at first" if classes > 1 else ""
    return f"{number(classes)} {'classes' if classes > 1 else 'class'} during training{share}"


def one_class_heading(name: str, groups: int, silhouette: float) -> str:
    if silhouette >= STRUCTURE:
        return f"{brief(name)} falls into {number(groups)} sub-groups"
    return f"{brief(name)} has no clear sub-groups"
