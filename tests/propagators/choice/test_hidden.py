"""Hidden labels: each is hidden once, never the only one of its class, and what is found again is counted."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.propagators.choice.hidden import HiddenLabels

LABELS_N = np.array([0, -1, 1, 0, 1, 0, -1, 1, 2, 1, 0])  # four of class 0, four of class 1, one of class 2


@pytest.mark.parametrize(("most", "folds"), [(2, 2), (3, 3), (9, 4)])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_each_label_is_hidden_once_but_the_only_one_of_a_class(most: int, folds: int, seed: int | None) -> None:
    hidden = HiddenLabels.dealt(LABELS_N, most, seed)
    assert len(hidden.folds) == folds
    assert sorted(np.concatenate(hidden.folds)) == [0, 2, 3, 4, 5, 7, 9, 10]
    assert hidden.n == 8
    sizes = [np.bincount(LABELS_N[row_H], minlength=2) for row_H in hidden.folds]
    assert np.ptp(sizes, axis=0).max() <= 1, "the labels of a class are not spread evenly"


def test_the_order_depends_on_the_seed_alone() -> None:
    labels_N = np.arange(60) % 2
    dealt = [HiddenLabels.dealt(labels_N, 5, seed).folds for seed in (None, None, 1, 1, 2)]
    same = [all(np.array_equal(a, b) for a, b in zip(dealt[i], dealt[i + 1], strict=True)) for i in range(4)]
    assert same == [True, False, True, False]


@pytest.mark.parametrize("labels", [[0, 1, -1, 2], [-1, -1]])
def test_nothing_is_hidden_where_every_class_has_one_label(labels: list[int]) -> None:
    assert HiddenLabels.dealt(np.array(labels), 5).folds == ()


def test_what_is_asked_for_is_not_shown() -> None:
    hidden = HiddenLabels.dealt(LABELS_N, 4)

    def fit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        assert (shown_N[row_H] == -1).all()
        others = np.setdiff1d(np.arange(len(LABELS_N)), row_H)
        np.testing.assert_array_equal(shown_N[others], LABELS_N[others])
        return np.zeros(len(row_H), dtype=int)

    found = hidden.ask(1, fit)
    np.testing.assert_array_equal(found.right_H, LABELS_N[found.row_H] == 0)
    assert hidden.right(fit) == 4
    assert hidden.right_within(60, fit) == 4
    assert LABELS_N.min() == -1, "the labels themselves were changed"


def test_one_who_is_too_slow_is_asked_once() -> None:
    asked = []
    hidden = HiddenLabels.dealt(LABELS_N, 4)
    assert hidden.right_within(0, lambda shown_N, row_H: asked.append(row_H) or row_H) is None
    assert len(asked) == 1
