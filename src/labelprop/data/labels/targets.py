"""Targets: the y of an estimator as it was read, with the marker of unlabeled rows that goes back out.

`unlabeled.py` says what is unlabeled. Out goes -1 in numbers, "" in text and in object arrays of text, else None.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.core.text import composed, counted
from labelprop.core.types import UNLABELED
from labelprop.data.labels.column import as_column
from labelprop.data.labels.unlabeled import is_no_label, say_no_label, unlabeled
from labelprop.graph.seeds import Seeds


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A y as it was read: classes, class number of each row (or soft rows), and the marker to give back."""

    classes: np.ndarray  # (C,) sorted
    codes_N: np.ndarray  # int64; -1 where unlabeled
    soft_NC: np.ndarray | None
    marker: Any

    def seeds(self, weights_N: np.ndarray | None = None) -> Seeds:
        """Seeds with these weights. Raises RequestError where no seed has a positive one."""
        weights = None if weights_N is None else torch.from_numpy(weights_N)
        if self.soft_NC is None:
            found = Seeds.hard(torch.from_numpy(self.codes_N), len(self.classes), weights)
        else:
            found = Seeds.soft(torch.from_numpy(self.soft_NC), weights)
        if not bool(found.mask_N.any()):
            raise RequestError(
                "sample_weight is zero on every labeled row, so no seed is left; give at least one a positive weight."
            )
        return found

    def decode(self, codes_N: np.ndarray) -> np.ndarray:
        """Class labels of class numbers, the marker where the number is -1 (as objects where the type has none)."""
        if not (codes_N < 0).any():
            return np.asarray(self.classes[codes_N])
        dtype = np.dtype(object) if self.marker is None else self.classes.dtype
        names = np.append(self.classes.astype(dtype), np.array([self.marker], dtype=dtype))
        return np.asarray(names[codes_N])  # -1 takes the last

    def codes_of(self, y: Any) -> np.ndarray:
        """Class numbers of other labels of these classes: -1 where unlabeled, C for a class that is not one of them.

        Raises DataError where labels are of another kind than the classes: texts, say, against numbers.
        """
        column = labels_of(y)
        if column.ndim == 2:
            return _soft_codes(_soft_rows(column))
        unlabeled_N = unlabeled(column)
        places = {_key(name): place for place, name in enumerate(self.classes.tolist())}
        labels = np.ma.getdata(column)[~unlabeled_N].tolist()
        _refuse_mixed(labels, list(places))
        codes_N = np.full(len(column), UNLABELED, dtype=np.int64)
        codes_N[~unlabeled_N] = np.fromiter(
            (places.get(_key(label), len(places)) for label in labels), dtype=np.int64
        )
        return codes_N


def read_targets(y: Any) -> Targets:
    """Reads y, one-dimensional (labels) or two-dimensional and floating with at least 2 columns (soft seeds).

    Raises DataError naming the row for labels that cannot be meant, and where no row is labeled.
    """
    column = labels_of(y)
    if column.ndim == 2:
        return _soft(column)
    unlabeled_N = unlabeled(column)
    labels_L, kind = np.ma.getdata(column)[~unlabeled_N], column.dtype.kind
    if kind == "u":  # has no room for -1
        labels_L = labels_L.astype(np.int64 if labels_L.max(initial=0) <= np.iinfo(np.int64).max else object)
    marker = _marker(kind, labels_L)
    if kind == "U" and isinstance(y, np.ndarray):
        _ask_about_nan(labels_L)
    if not len(labels_L):
        raise DataError(
            f"y holds no labels at all ({counted(len(column), 'row')}, all unlabeled). Label at least one row; "
            f"{marker!r} marks unlabeled ones. y should be a 1d array of labels."
        )
    if not isinstance(marker, str | bytes):  # all texts: nothing to look for, in what may be many
        _refuse_strange(labels_L, np.flatnonzero(~unlabeled_N))
    try:
        classes, codes_L = np.unique(labels_L, return_inverse=True)
    except TypeError as error:
        raise DataError(f"y mixes labels that cannot be sorted ({error}); use one type for all.") from error
    classes, codes_L = _one_form(classes, codes_L)
    codes_N = np.full(len(column), UNLABELED, dtype=np.int64)
    codes_N[~unlabeled_N] = codes_L
    return Targets(classes, codes_N, None, marker)


def labels_of(y: Any) -> np.ndarray:
    """y as a column (N,); soft labels stay (N, C). A single column is raveled with scikit-learn's usual warning.

    Raises DataError for any other shape.
    """
    column = as_column(y)
    if column.ndim == 1 or (column.ndim == 2 and column.dtype.kind == "f" and column.shape[1] >= 2):
        return column
    if column.ndim == 2 and column.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
            "(n_samples, ), for example using ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        return column.reshape(-1)
    raise DataError(
        f"y should be a 1d array of one label a row, or soft labels as floats (n, C >= 2); got shape {column.shape}."
    )


def _marker(kind: str, labels_L: np.ndarray) -> Any:
    """What comes back in unlabeled rows of such a column."""
    if kind in "SU":
        return "" if kind == "U" else b""
    if kind in "iufc":
        return UNLABELED
    is_text = kind == "O" and len(labels_L) and all(isinstance(label, str) for label in labels_L)
    return "" if is_text else None


def _one_form(classes: np.ndarray, codes_L: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One class of names that differ only in how Unicode composes their letters; other names stay as they are."""
    keys = [_key(name) for name in classes.tolist()]
    if len(set(keys)) == len(keys):
        return classes, codes_L
    joined, place_C = np.unique(np.array(keys, dtype=classes.dtype), return_inverse=True)
    return joined, place_C[codes_L]


def _key(label: Any) -> Any:
    """What two forms of one name have in common."""
    return composed(label) if isinstance(label, str) else label


def _refuse_mixed(labels: Sequence[Any], classes: Sequence[Any]) -> None:
    """Labels of another kind than the classes are equal to none of them, which is no answer."""
    kinds, known = ({_kind(label) for label in some} for some in (labels, classes))
    if not kinds <= known:
        found = " and ".join(sorted(kinds))
        raise DataError(
            f"Mix of label input types: y holds {found}, the labels that were fitted were "  # scikit-learn's words
            f"{' and '.join(sorted(known))}. Give both in one type."
        )


def _kind(label: Any) -> str:
    if isinstance(label, str | bytes):
        return "texts" if isinstance(label, str) else "bytes"
    return "numbers" if isinstance(label, Number) else f"{type(label).__name__} objects"


def _soft(array: np.ndarray) -> Targets:
    soft_NC = _soft_rows(array)
    wrong = _first(np.any(~((soft_NC >= 0) & np.isfinite(soft_NC)), axis=1))
    if wrong is not None:
        raise DataError(
            f"row {wrong} of the soft labels holds a negative, infinite or partly missing value; "
            f"use shares >= 0, or a row of zeros or NaN where unlabeled."
        )
    if not soft_NC.any():
        raise DataError(
            f"y holds no labels at all ({counted(len(array), 'row')} of zeros or NaN). Label at least one row."
        )
    return Targets(np.arange(array.shape[1]), _soft_codes(soft_NC), soft_NC, UNLABELED)


def _soft_rows(array: np.ndarray) -> np.ndarray:
    """Soft labels as float64, rows of NaN alone as zeros."""
    given_NC: np.ndarray = np.ma.filled(array.astype(np.float64), np.nan)
    return np.where(np.isnan(given_NC).all(axis=1, keepdims=True), 0, given_NC)


def _soft_codes(soft_NC: np.ndarray) -> np.ndarray:
    return np.where((soft_NC > 0).any(axis=1), np.nan_to_num(soft_NC).argmax(axis=1), UNLABELED)


def _ask_about_nan(labels_L: np.ndarray) -> None:
    """np.array(["cat", np.nan]) holds the text 'nan', which is a name like any other."""
    if (labels_L == "nan").any() and (labels_L != "nan").any():
        warnings.warn(
            "'nan' is a class in y: np.nan in an array of texts becomes the text 'nan'. If those rows are unlabeled, "
            "give an array of objects, or None or '' in place of np.nan.",
            stacklevel=4,
        )


def _refuse_strange(labels_L: np.ndarray, row_L: np.ndarray) -> None:
    """What is no class label: complex numbers, infinity, fractions, negative numbers, lists."""
    kind = labels_L.dtype.kind
    if kind == "c":
        raise DataError(f"Unknown label type: complex. {say_no_label(labels_L[0], f'row {row_L[0]} of y')}")
    if kind == "f":
        at = _first(np.isinf(labels_L))
        if at is not None:
            raise DataError(f"row {row_L[at]} of y: input y contains infinity; -1 and NaN mark unlabeled rows.")
        at = _first(labels_L != np.floor(labels_L))
        if at is not None:
            raise DataError(  # scikit-learn's checks look for its words
                f"Unknown label type: continuous. Row {row_L[at]} of y is {labels_L[at]}; labels are whole numbers "
                f"or text, or soft labels as floats (n, C >= 2)."
            )
    if kind == "O":
        at = _first(np.array([isinstance(label, list | tuple | dict | set | np.ndarray) for label in labels_L]))
        if at is not None:
            raise DataError(f"row {row_L[at]} of y is {labels_L[at]!r:.60}; a label is a single value.")
        at = _first(np.array(list(map(is_no_label, labels_L)), dtype=bool))
        if at is not None:
            raise DataError(say_no_label(labels_L[at], f"row {row_L[at]} of y"))
        negative_L = np.array([isinstance(label, int | float) and label < 0 for label in labels_L], dtype=bool)
    else:
        negative_L = labels_L < 0 if kind in "if" else np.zeros(len(labels_L), dtype=bool)
    at = _first(negative_L)
    if at is not None:
        raise DataError(
            f"row {row_L[at]} of y is {labels_L[at]}; labels are not negative, only -1 marks unlabeled rows."
        )


def _first(wrong_L: Any) -> int | None:
    """The first place that is wrong, if any."""
    return int(wrong_L.argmax()) if wrong_L.any() else None
