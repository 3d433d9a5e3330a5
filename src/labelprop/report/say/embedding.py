"""Headings of the section on the embedding: what the papers' analyses say of this run, or their plain form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labelprop.report.gather.numbers import percent, percent_of, signed
from labelprop.report.gather.training import Curve
from labelprop.report.words import brief, capital, count, number, numeral

MOVED = 0.05  # of aggregation, whose range is 1
R_MOVED = 0.3  # of Pearson's r
Z95 = 1.96
STRUCTURE = 0.5  # of a silhouette (Kaufman & Rousseeuw 1990: below it groups are weak)


def embedding_heading(aggregation: Curve, noun: str) -> str:
    """Where the aggregation went."""
    if not aggregation:
        return "The embedding and the pseudo-labels, against your truth"
    first, last = aggregation.values[0], aggregation.last
    if last - first >= MOVED:
        return f"The {noun}s of a class drew together: aggregation rose from {first:.2f} to {last:.2f}"
    if first - last >= MOVED:
        return f"The {noun}s of a class drew apart: aggregation fell from {first:.2f} to {last:.2f}"
    if len(aggregation.values) == 1:
        return f"The classes have an aggregation of {last:.2f}"
    return f"The classes keep an aggregation of about {last:.2f}"


def aggregation_heading(own: Curve, baseline: Curve) -> str:
    """This run's classes against those of the labels alone."""
    if baseline and own.last - baseline.last >= MOVED:
        return "Classes lie closer together than with the labels alone"
    if baseline and baseline.last - own.last >= MOVED:
        return "Classes lie farther apart than with the labels alone"
    return "Mean aggregation of the classes by epoch"


def neighbors_heading(own: Curve) -> str:
    return f"The nearest neighbor is of the same class for {percent_of(own.last)}"


def pseudo_heading(pseudo: Curve, weighted: Curve) -> str:
    """Whether weights favor the right pseudo-labels."""
    by_count = percent_of(pseudo.last)
    if not weighted or percent_of(weighted.last) == by_count:
        return f"{by_count} of the pseudo-labels are right"
    by_weight = percent_of(weighted.last)
    if weighted.last > pseudo.last:
        return f"{by_count} of the pseudo-labels are right, {by_weight} of their weight"
    return f"The weights do not favor right pseudo-labels: {by_weight} of the weight, {by_count} of the labels"


def class_aggregation_heading(aggregation_C: np.ndarray, names: Sequence[str]) -> str:
    """The least aggregated class where it stands out; else the spread."""
    known = np.flatnonzero(np.isfinite(aggregation_C))
    values = aggregation_C[known]
    if len(values) == 1:
        return f"Aggregation of the one class: {values[0]:.2f}"
    order = np.argsort(values, kind="stable")
    if len(values) > 2 and values[order[1]] - values[order[0]] >= MOVED:
        return f"{brief(names[known[order[0]]])} is the least aggregated class: {values[order[0]]:.2f}"
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return f"Each class has an aggregation of {low}" if low == high else f"Aggregation runs from {low} to {high}"


def density_heading(r: float | None, classes: int) -> str:
    """Whether dense classes get more pseudo-labels, said only where r differs from 0 by its 95% interval (Fisher)."""
    if r is None:
        return "Density and number of pseudo-labels, by class"
    if classes > 3 and abs(np.arctanh(min(abs(r), 0.999999))) * np.sqrt(classes - 3) > Z95:
        return f"Dense classes get {'more' if r > 0 else 'fewer'} pseudo-labels: r\u00a0=\u00a0{signed(r)}"
    return f"Density and number of pseudo-labels: r\u00a0=\u00a0{signed(r)} over {number(classes)} classes"


def correlation_heading(correlation: Curve) -> str:
    first, last = correlation.values[0], correlation.last
    if abs(last - first) >= R_MOVED:
        return f"Their correlation {'rose' if last > first else 'fell'} from {signed(first)} to {signed(last)}"
    return "Their correlation by epoch"


def counts_heading(assigned_C: np.ndarray) -> str:
    """Classes without any pseudo-label, else the spread."""
    low, high, empty = int(assigned_C.min()), int(assigned_C.max()), int((assigned_C == 0).sum())
    if len(assigned_C) == 1:
        return f"The one class has {count(high, 'pseudo-label')}"
    if empty == len(assigned_C):
        return "No pseudo-label was handed out"
    if empty:
        return (
            f"{number(empty)} of {number(len(assigned_C))} classes {'gets' if empty == 1 else 'get'} no pseudo-label"
        )
    if low == high:
        return f"Each class has {count(low, 'pseudo-label')}"
    return f"Pseudo-labels run from {number(low)} to {number(high)} a class"


def certainty_heading(right_H: np.ndarray, wrong_H: np.ndarray) -> str:
    """The certainty under which half of the wrong ones lie, where that tells them from the right ones."""
    right, wrong = int(right_H.sum()), int(wrong_H.sum())
    if not wrong:
        return f"No wrong one among {count(right, 'pseudo-label')}"
    if not right:
        return "The one pseudo-label is wrong" if wrong == 1 else f"All {number(wrong)} pseudo-labels are wrong"
    bins = len(right_H)
    half = int(np.searchsorted(wrong_H.cumsum(), wrong / 2)) + 1
    below_wrong, below_right = int(wrong_H[:half].sum()), int(right_H[:half].sum())
    if half < bins and 4 * below_right <= right:
        some = f"{number(below_wrong)} of {number(wrong)} wrong ones {'lies' if below_wrong == 1 else 'lie'}"
        share = percent(below_right, right) if below_right else "none"
        return f"{some} below {half / bins:.2f}, and {share} of the right"
    return "Certainty of right and wrong pseudo-labels"


def over_time_heading(classes: int, own: Sequence[float]) -> str:
    """`own`: share of the followed examples nearest to one of their own class, at each moment."""
    if classes == 1:
        return "One class during training"
    what = f"{capital(numeral(classes))} classes during training"
    first, last = percent_of(own[0]), percent_of(own[-1])
    if first == last:
        return f"{what}: {last} lie nearest to one of their own"
    return f"{what}: {last} lie nearest to one of their own, {first} at first"


def one_class_heading(name: str, groups: int, silhouette: float) -> str:
    if silhouette >= STRUCTURE:
        return f"{brief(name)} falls into {numeral(groups)} sub-groups"
    return f"{brief(name)} has no clear sub-groups"


def group_size(size: int, of: int, noun: str) -> str:
    return f"{count(size, noun)}, {percent(size, of)}"
