from __future__ import annotations

import pytest

from labelprop.core.errors import DataError
from labelprop.data.labels.split import draw_per_class

LABELS = ["a", "b", "b", "a", "b", "a", "b"]


def test_draws_as_many_of_each_class_and_depends_on_the_seed_alone() -> None:
    drawn = draw_per_class(LABELS, 2, seed=1)
    assert sorted(LABELS[i] for i in drawn) == ["a", "a", "b", "b"]
    assert (drawn == draw_per_class(LABELS, 2, seed=1)).all()
    assert len({tuple(draw_per_class(LABELS, 2, seed)) for seed in range(10)}) > 1


def test_names_the_class_that_is_too_small() -> None:
    with pytest.raises(DataError, match="class 'a' has 3 examples, 4 were asked for"):
        draw_per_class(LABELS, 4, seed=0)
