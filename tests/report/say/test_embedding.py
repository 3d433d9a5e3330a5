"""Every heading of the section at its edges: the finding, its plain form, and where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.report.gather.history import Curve
from labelprop.report.say import embedding as say


def test_aggregation_at_first_and_at_last() -> None:
    assert "0.29 at first, 0.92 at last" in say.embedding_heading(Curve((1, 2, 3), (0.29, 0.9, 0.92)))
    assert "0." not in say.embedding_heading(Curve())


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([0.9], "from 0.90 to 0.90"),
        ([0.8, 0.84, 0.9, np.nan], "from 0.80 to 0.90"),
        ([0.93, 0.92, 0.6, 0.94], "c is the least aggregated class: 0.60"),
        ([0.93, 0.92, 0.88, 0.94], "from 0.88 to 0.94"),
        ([0.3, 0.9], "from 0.30 to 0.90"),
    ],
)
def test_the_least_aggregated_class_is_named_only_where_it_stands_out(values: list[float], said: str) -> None:
    assert said in say.class_aggregation_heading(np.array(values), list("abcd"))


@pytest.mark.parametrize(
    ("r", "classes", "claim"),
    [
        (0.62, 10, None),
        (0.64, 10, "more"),
        (-0.64, 10, "fewer"),
        (1.0, 3, None),
        (1.0, 4, "more"),
        (-0.001, 50, None),
    ],
)
def test_density_heading_claims_only_what_differs_from_zero(r: float, classes: int, claim: str | None) -> None:
    """At 10 classes the 95% interval of r leaves 0 out from r = 0.632 on (Fisher's z, tabulated)."""
    said = say.density_heading(r, classes).replace("\u00a0", " ")
    assert f"r = {r:.2f} over {classes} classes".replace("-0.00", "0.00").replace("-", "−") in said
    assert (f"Dense classes get {claim}" in said) == (claim is not None)
    assert "r" not in say.density_heading(None, classes).split()


def test_pseudo_labels_by_class_and_classes_without_any() -> None:
    assert say.counts_heading(np.array([5.0, 1700.0])) == "Pseudo-labels: 5 to 1,700 in each of 2 classes"
    assert say.counts_heading(np.array([5.0, 0.0, 7.0])).endswith("0 to 7 in each of 3 classes, none in 1")
    assert say.counts_heading(np.array([1.0])) == "Pseudo-labels: 1 in one class"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ([0, 0, 0, 9], [0, 0, 0, 0], "9 pseudo-labels, 0 wrong"),
        ([0, 0, 0, 0], [0, 1, 0, 0], "1 of 1 wrong pseudo-labels, 0 of 0 right, below 0.50"),
        ([0, 1, 0, 9], [1, 2, 0, 1], "3 of 4 wrong pseudo-labels, 1 of 10 right, below 0.50"),
        ([0, 0, 0, 9], [0, 0, 0, 5], "14 pseudo-labels, 5 wrong"),
    ],
)
def test_certainty_under_which_half_of_the_wrong_ones_lie(right: list[int], wrong: list[int], said: str) -> None:
    assert say.certainty_heading(np.array(right), np.array(wrong)) == said


def test_neighbors_of_their_own_never_round_up_to_all() -> None:
    assert "99.9% nearest to their own, 30.0% at first" in say.over_time_heading(5, (0.3, 0.5, 0.9999))
    assert "%" not in say.over_time_heading(1, (1.0, 1.0)), "one class has no others"


def test_one_class_heading_needs_groups_that_are_apart() -> None:
    assert say.one_class_heading("7", 3, 0.5) == "7 falls into 3 sub-groups"
    assert say.one_class_heading("\u202e7", 3, 0.49) == "\\u202e7 has no clear sub-groups"
