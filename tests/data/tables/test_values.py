from __future__ import annotations

import math

import numpy as np
import pytest

from labelprop.core.errors import DataError
from labelprop.data.tables.values import label_text, label_texts, plain_text, sort_classes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("007", "007"), (" cat ", " cat "), (7, "7"), (7.0, "7"), (7.5, "7.5"), (True, "true"), (b"a\xff", "a\\xff"),
        (np.int64(3), "3"), (np.str_("x"), "x"), (None, None), (math.nan, None), (np.float32("nan"), None),
        (10**20, "1" + 20 * "0"),
    ],
)  # fmt: skip
def test_cells_become_text_without_inference(value: object, text: str | None) -> None:
    assert plain_text(value) == text


@pytest.mark.parametrize("value", ["", "-1", "-1.0", -1, -1.0, np.int64(-1), None, math.nan, np.ma.masked])
def test_markers_of_unlabeled(value: object) -> None:
    assert label_text(value) is None


@pytest.mark.parametrize("value", ["NA", "None", "nan", "<NA>", "0", "-1.00", " -1", " ", "-2"])
def test_other_texts_are_classes(value: str) -> None:
    assert label_text(value) == value


def test_numbers_take_the_declared_names() -> None:
    assert label_texts([1, 0, -1, None], ("cat", "dog"), "t") == ["dog", "cat", None, None]
    assert label_texts(["1", "cat"], ("cat", "dog"), "t") == ["1", "cat"]
    with pytest.raises(DataError, match=r"t\.parquet, row 1: label 2 is outside the 2 class names"):
        label_texts([0, 2], ("cat", "dog"), "t.parquet")


def test_integers_sort_as_integers_only_if_all_are() -> None:
    assert sort_classes(["10", "9", "9", "007"]) == ("007", "9", "10")
    assert sort_classes(["10", "9", "x"]) == ("10", "9", "x")
    assert sort_classes([]) == ()
