"""Folds over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.core.errors import RequestError
from labelprop.data.labels.folds import SeedKFold


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


@pytest.mark.parametrize("folds", [2.5, "a", None, True])
def test_a_number_of_folds_that_is_none_is_refused_by_its_name(folds: object) -> None:
    with pytest.raises(RequestError, match="n_splits="):
        next(SeedKFold(folds).split(None, [0, 1, 0, -1]))


def test_rows_and_labels_are_as_many() -> None:
    with pytest.raises(RequestError, match="X has 4 rows and y 3"):
        next(SeedKFold(2).split(np.eye(4), [0, 1, -1]))
    with pytest.raises(RequestError, match="random_state='a'"):
        next(SeedKFold(2, random_state="a").split([1, 2, 3], [0, 1, -1]))
