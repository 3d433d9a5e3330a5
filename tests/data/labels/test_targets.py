"""Reading y: classes, markers in and out, what cannot be meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels import targets
from labelprop.data.labels.targets import read_targets


@pytest.mark.parametrize(
    ("y", "classes", "marker"),
    [
        (np.array([3, -1, 7, 3]), [3, 7], -1),
        (np.array([3.0, -1.0, 7.0, 3.0]), [3.0, 7.0], -1.0),
        (np.array(["b", "", "cc", "b"]), ["b", "cc"], ""),
        (np.array(["b", None, "cc", "b"], dtype=object), ["b", "cc"], ""),
        (np.array([5, float("nan"), 6, 5], dtype=object), [5, 6], None),
        (np.array(["b", "", "cc", "b"], dtype=object), ["b", "cc"], ""),
        (np.array(["b", "-1", "cc", "b"]), ["b", "cc"], ""),
        (np.array(["b", -1, "cc", "b"], dtype=object), ["b", "cc"], ""),
        (np.array([5, -1, 6, 5], dtype=object), [5, 6], None),
        (np.array([3.0, np.nan, 7.0, 3.0]), [3.0, 7.0], -1.0),
        (np.ma.masked_equal([3, 0, 7, 3], 0), [3, 7], -1),
        (["b", float("nan"), "cc", "b"], ["b", "cc"], ""),
        ([3, None, 7, 3], [3, 7], None),
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


def test_in_texts_alone_nothing_strange_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million texts would take twice as long."""
    monkeypatch.setattr(targets, "is_no_label", None)
    assert read_targets(np.array(["b", None, "a"], dtype=object)).codes_N.tolist() == [1, -1, 0]


def test_all_rows_labeled_and_types_without_room_for_minus_one() -> None:
    assert read_targets(np.array([2, 1], dtype=np.uint8)).decode(np.array([0, -1])).tolist() == [1, -1]
    assert read_targets(np.array([True, False])).classes.tolist() == [0, 1]


def test_the_text_nan_beside_other_texts_is_asked_about() -> None:
    with pytest.warns(UserWarning, match="'nan' is a class in y") as told:
        assert read_targets(np.array(["b", np.nan, ""])).classes.tolist() == ["b", "nan"]
    assert len(told) == 1
    for y in (np.array(["b", np.nan], dtype=object), ["b", "nan"], np.array(["nan", "nan"]), np.array(["b", "NaN"])):
        read_targets(y)  # a warning would be an error


def test_other_labels_of_another_kind_are_no_wrong_answers() -> None:
    texts, numbers = read_targets(np.array(["0", "1", ""])), read_targets(np.array([0.0, 1.0, np.nan]))
    assert numbers.codes_of([1, -1, None, True, 5]).tolist() == [1, -1, -1, 1, 2]
    assert texts.codes_of(np.array(["1", "", "cat"])).tolist() == [1, -1, 2]
    assert texts.codes_of(np.array(["1", -1, None], dtype=object)).tolist() == [1, -1, -1]
    for found, y in (
        (texts, np.array([0, 1, -1])),
        (numbers, np.array(["0", "1", ""])),
        (numbers, np.array([0, "1", None], dtype=object)),
        (texts, np.array([b"0", b""])),
    ):
        with pytest.raises(DataError, match="Mix of label input types"):
            found.codes_of(y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([-1, -1]), r"no labels at all \(2 rows.*-1 marks"),
        (np.array(["", ""]), r"no labels at all.*'' marks"),
        (np.array([None, ""], dtype=object), r"no labels at all.*None marks"),
        (np.array([0, -1, -2]), r"row 2 of y is -2; labels are not negative, only -1 marks unlabeled"),
        (np.array([0, None, -3], dtype=object), r"row 2 of y is -3; labels are not negative"),
        (np.array([0, [1, 2], None], dtype=object), r"row 1 of y is \[1, 2\]; a label is a single value"),
        (np.array([np.nan, -1.0]), r"no labels at all"),
        (np.array([[0, 1], [1, 0]]), r"y should be a 1d array .* got shape \(2, 2\)"),
        ([[0, 1], [1]], r"lists of different lengths"),
        (np.array([0, 1j, 2]), r"Unknown label type: complex"),
        (np.array([0, None, np.inf], dtype=object), r"row 2 of y is inf"),
        (np.array([0, 2j, None], dtype=object), r"row 1 of y is 2j"),
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


def test_no_seed_with_a_weight_is_refused() -> None:
    with pytest.raises(RequestError, match="sample_weight is zero on every labeled row"):
        read_targets(np.array([0, 1, -1])).seeds(np.array([0.0, 0.0, 1.0]))
