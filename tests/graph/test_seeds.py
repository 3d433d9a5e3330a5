"""Reading y, the right-hand side, and folds over seeds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.graph.seeds import SeedKFold, Seeds, read_targets


@pytest.mark.parametrize(
    ("y", "classes", "marker"),
    [
        (np.array([3, -1, 7, 3]), [3, 7], -1),
        (np.array([3.0, -1.0, 7.0, 3.0]), [3.0, 7.0], -1.0),
        (np.array(["b", "", "cc", "b"]), ["b", "cc"], ""),
        (np.array(["b", None, "cc", "b"], dtype=object), ["b", "cc"], None),
        (np.array([5, float("nan"), 6, 5], dtype=object), [5, 6], None),
        (np.array(["b", "", "cc", "b"], dtype=object), ["b", "cc"], None),
        (["b", "", "cc", "b"], ["b", "cc"], ""),
        (torch.tensor([3, -1, 7, 3]), [3, 7], -1),
    ],
)
def test_markers_in_and_out(y: Any, classes: list[Any], marker: Any) -> None:
    found = read_targets(y)
    assert found.classes.tolist() == classes
    assert found.codes_N.tolist() == [0, -1, 1, 0]
    assert found.decode(np.array([1, -1, 0])).tolist() == [classes[1], marker, classes[0]]
    assert found.decode(np.array([-1])).dtype == found.classes.dtype


def test_all_rows_labeled_and_types_without_room_for_minus_one() -> None:
    assert read_targets(np.array([2, 1], dtype=np.uint8)).decode(np.array([0, -1])).tolist() == [1, -1]
    assert read_targets(np.array([True, False])).classes.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([-1, -1]), r"no labels at all \(2 rows.*-1 marks"),
        (np.array(["", ""]), r"no labels at all.*'' marks"),
        (np.array([None, ""], dtype=object), r"no labels at all.*None marks"),
        (np.array([0, -1, -2]), r"row 2 of y is -2; labels are not negative, only -1 marks unlabeled"),
        (np.array([0, 1, -1], dtype=object), r"row 2 of y is -1; .*None marks unlabeled rows in object arrays"),
        (np.array([0.0, np.nan]), r"row 1 of y: input y contains NaN; -1 marks"),
        (np.array([0.0, np.inf]), r"row 1 of y: input y contains infinity"),
        (np.array([0.0, 0.5]), r"Unknown label type: continuous\. Row 1 of y is 0\.5"),
        (np.array([0, "a", None], dtype=object), r"mixes labels that cannot be sorted"),
        (np.zeros((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (np.zeros((3, 2)), r"no labels at all \(3 rows of zeros or NaN\)"),
        (np.array([[0.5, 0.5], [1, -0.1]]), r"row 1 of the soft labels holds a negative"),
        (
            np.array([[0.5, 0.5], [1, np.nan]]),
            r"row 1 of the soft labels holds a negative, infinite or partly missing",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_naming_the_row(y: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_targets(y)


def test_soft_labels() -> None:
    y = np.array([[0.2, 0.8], [0, 0], [np.nan, np.nan], [0.5, 0.5]])
    found = read_targets(y)
    assert found.classes.tolist() == [0, 1]
    assert found.codes_N.tolist() == [1, -1, -1, 0]
    seeds = found.seeds(np.array([2.0, 1, 1, 1]))
    assert seeds.labels_N.tolist() == [1, -1, -1, 0]
    assert seeds.columns([0, 1], torch.float64).tolist() == [[0.4, 1.6], [0, 0], [0, 0], [0.5, 0.5]]
    assert seeds.totals_C().tolist() == pytest.approx([0.9, 2.1])


def test_hard_seeds_and_weights() -> None:
    seeds = Seeds.hard(torch.tensor([2, -1, 0, 2]), 4, torch.tensor([1.0, 5.0, 0.0, 0.5]))
    assert seeds.labels_N.tolist() == [2, -1, -1, 2]
    assert seeds.weights_N.tolist() == [1, 0, 0, 0.5]
    assert seeds.totals_C().tolist() == [0, 0, 1.5, 0]
    assert seeds.columns([2, 0], torch.float32).tolist() == [[1, 0], [0, 0], [0, 0], [0.5, 0]]
    assert seeds.mask_N.tolist() == [True, False, False, True]


def test_no_seed_with_a_weight_is_refused() -> None:
    with pytest.raises(RequestError, match="sample_weight is zero on every labeled row"):
        read_targets(np.array([0, 1, -1])).seeds(np.array([0.0, 0.0, 1.0]))


def test_folds_hide_each_seed_once_and_keep_unlabeled_rows_in_training() -> None:
    y = np.array([0, -1, 1, 0, 1, -1, 0, 0])
    hidden = []
    for train, test in SeedKFold(2).split(None, y):
        assert set(train) | set(test) == set(range(8))
        assert not set(train) & set(test)
        assert {1, 5} <= set(train)
        assert np.bincount(y[test]).tolist() == [2, 1]
        hidden += test.tolist()
    assert sorted(hidden) == [0, 2, 3, 4, 6, 7]


def test_folds_may_be_shuffled_and_repeat_with_the_same_state() -> None:
    y = np.repeat([0, 1, -1], 20)
    plain = [test.tolist() for _, test in SeedKFold(4).split(None, y)]
    once = [test.tolist() for _, test in SeedKFold(4, random_state=1).split(None, y)]
    assert once == [test.tolist() for _, test in SeedKFold(4, random_state=1).split(None, y)]
    assert once != plain
    assert all(np.bincount(y[test]).tolist() == [5, 5] for test in once)


def test_folds_take_text_and_soft_labels() -> None:
    assert len(list(SeedKFold(2).split(None, ["a", "b", "", "a"]))) == 2
    soft = np.array([[1, 0], [0, 1], [0, 0], [0.4, 0.6]])
    tests = [test.tolist() for _, test in SeedKFold(3).split(None, soft)]
    assert sorted(row for test in tests for row in test) == [0, 1, 3]


@pytest.mark.parametrize("folds", [1, 4])
def test_more_folds_than_seeds_are_refused(folds: int) -> None:
    with pytest.raises(
        RequestError, match=rf"n_splits={folds} must be at least 2 and at most the number of seeds \(3\)"
    ):
        next(SeedKFold(folds).split(None, np.array([0, 1, 1, -1])))
