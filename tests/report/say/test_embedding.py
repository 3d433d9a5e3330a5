"""Every heading of the section at its edges: the finding, its plain form, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.report.gather.training import Curve
from labelprop.report.say import embedding as findings

NONE = Curve((), ())


def curve(*values: float) -> Curve:
    return Curve(tuple(range(1, len(values) + 1)), values)


@pytest.mark.parametrize(
    ("aggregation", "said"),
    [
        (NONE, "The embedding and the pseudo-labels, against your truth"),
        (curve(0.5), "The classes have an aggregation of 0.50"),
        (curve(0.5, 0.54), "The classes keep an aggregation of about 0.54"),
        (curve(0.29, 0.9, 0.92), "The images of a class drew together: aggregation rose from 0.29 to 0.92"),
        (curve(0.9, 0.6), "The images of a class drew apart: aggregation fell from 0.90 to 0.60"),
    ],
)
def test_embedding_heading(aggregation: Curve, said: str) -> None:
    assert findings.embedding_heading(aggregation, "image") == said


@pytest.mark.parametrize(
    ("own", "baseline", "said"),
    [
        (0.9, 0.8, "Classes lie closer together than with the labels alone"),
        (0.8, 0.9, "Classes lie farther apart than with the labels alone"),
        (0.9, 0.88, "Mean aggregation of the classes by epoch"),
        (0.9, None, "Mean aggregation of the classes by epoch"),
    ],
)
def test_aggregation_heading(own: float, baseline: float | None, said: str) -> None:
    assert findings.aggregation_heading(curve(own), NONE if baseline is None else curve(baseline)) == said


def test_neighbors_heading_never_rounds_up_to_all() -> None:
    assert findings.neighbors_heading(curve(0.5, 0.9999)) == "The nearest neighbor is of the same class for 99.9%"
    assert findings.neighbors_heading(curve(1.0)) == "The nearest neighbor is of the same class for 100%"


@pytest.mark.parametrize(
    ("pseudo", "weighted", "said"),
    [
        (0.9, 0.95, "90.0% of the pseudo-labels are right, 95.0% of their weight"),
        (0.9, 0.85, "The weights do not favor right pseudo-labels: 85.0% of the weight, 90.0% of the labels"),
        (0.9, 0.9001, "90.0% of the pseudo-labels are right"),
        (0.9, None, "90.0% of the pseudo-labels are right"),
    ],
)
def test_pseudo_heading(pseudo: float, weighted: float | None, said: str) -> None:
    assert findings.pseudo_heading(curve(pseudo), NONE if weighted is None else curve(weighted)) == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.9], "Aggregation of the one class: 0.90"),
        ([0.9, 0.9, 0.9], "Each class has an aggregation of 0.90"),
        ([0.8, 0.85, 0.9, np.nan], "Aggregation runs from 0.80 to 0.90"),
        ([0.93, 0.92, 0.6, 0.94], "c is the least aggregated class: 0.60"),
        ([0.93, 0.92, 0.88, 0.94], "Aggregation runs from 0.88 to 0.94"),
        ([0.3, 0.9], "Aggregation runs from 0.30 to 0.90"),
        ([0.899, 0.9, 0.9, 0.9], "Each class has an aggregation of 0.90"),
    ],
)
def test_class_aggregation_heading(values: list[float], said: str) -> None:
    assert findings.class_aggregation_heading(np.array(values), list("abcd")) == said


@pytest.mark.parametrize(
    ("r", "classes", "said"),
    [
        (None, 10, "Density and number of pseudo-labels, by class"),
        (0.62, 10, "Density and number of pseudo-labels: r = 0.62 over 10 classes"),
        (0.64, 10, "Dense classes get more pseudo-labels: r = 0.64"),
        (-0.64, 10, "Dense classes get fewer pseudo-labels: r = −0.64"),
        (1.0, 3, "Density and number of pseudo-labels: r = 1.00 over 3 classes"),
        (1.0, 4, "Dense classes get more pseudo-labels: r = 1.00"),
        (-0.001, 50, "Density and number of pseudo-labels: r = 0.00 over 50 classes"),
    ],
)
def test_density_heading_claims_only_what_differs_from_zero(r: float | None, classes: int, said: str) -> None:
    """At 10 classes the 95% interval of r leaves 0 out from r = 0.632 on (Fisher's z, tabulated)."""
    assert findings.density_heading(r, classes).replace("\u00a0", " ") == said


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0.5, 0.2), "Their correlation fell from 0.50 to 0.20"),
        ((-0.2, 0.5), "Their correlation rose from −0.20 to 0.50"),
        ((0.5, 0.4), "Their correlation by epoch"),
        ((0.5,), "Their correlation by epoch"),
    ],
)
def test_correlation_heading(values: tuple[float, ...], said: str) -> None:
    assert findings.correlation_heading(curve(*values)) == said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([1], "The one class has 1 pseudo-label"),
        ([0, 0], "No pseudo-label was handed out"),
        ([5, 0, 7], "1 of 3 classes gets no pseudo-label"),
        ([5, 0, 0], "2 of 3 classes get no pseudo-label"),
        ([5, 5], "Each class has 5 pseudo-labels"),
        ([5, 1700], "Pseudo-labels run from 5 to 1,700 a class"),
    ],
)
def test_counts_heading(counts: list[int], said: str) -> None:
    assert findings.counts_heading(np.array(counts)) == said


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ([0, 0, 0, 9], [0, 0, 0, 0], "No wrong one among 9 pseudo-labels"),
        ([0, 0, 0, 1], [0, 0, 0, 0], "No wrong one among 1 pseudo-label"),
        ([0, 0, 0, 0], [0, 1, 0, 0], "The one pseudo-label is wrong"),
        ([0, 0, 0, 0], [0, 2, 0, 0], "All 2 pseudo-labels are wrong"),
        ([0, 0, 0, 9], [0, 1, 0, 0], "1 of 1 wrong ones lies below 0.50, and none of the right"),
        ([0, 1, 0, 9], [1, 2, 0, 1], "3 of 4 wrong ones lie below 0.50, and 10.0% of the right"),
        ([0, 3, 0, 8], [1, 2, 0, 1], "Certainty of right and wrong pseudo-labels"),
        ([0, 0, 0, 9], [0, 0, 0, 5], "Certainty of right and wrong pseudo-labels"),
    ],
)
def test_certainty_heading(right: list[int], wrong: list[int], said: str) -> None:
    assert findings.certainty_heading(np.array(right), np.array(wrong)) == said


@pytest.mark.parametrize(
    ("classes", "own", "said"),
    [
        (1, (1.0, 1.0), "One class during training"),
        (5, (0.3, 0.5, 0.96), "Five classes during training: 96.0% lie nearest to one of their own, 30.0% at first"),
        (2, (0.96, 0.5, 0.96), "Two classes during training: 96.0% lie nearest to one of their own"),
        (2, (0.9,), "Two classes during training: 90.0% lie nearest to one of their own"),
    ],
)
def test_over_time_heading(classes: int, own: tuple[float, ...], said: str) -> None:
    assert findings.over_time_heading(classes, own) == said


def test_one_class_heading_needs_groups_that_are_apart() -> None:
    assert findings.one_class_heading("7", 3, 0.5) == "7 falls into three sub-groups"
    assert findings.one_class_heading("\u202e7", 3, 0.49) == "\\u202e7 has no clear sub-groups"
    assert findings.group_size(1, 4, "image") == "1 image, 25.0%"
    assert findings.group_size(4, 4, "text") == "4 texts, 100%"
