"""What is unlabeled: one rule for every reader and every estimator.

Unlabeled is -1 or NaN in numbers; None, NaN, NaT, `pandas.NA`, null and masked entries anywhere; the empty text, and
the texts -1 and -1.0. Nothing else is: "NA", "None" and "nan" as texts are names of classes.
"""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from labelprop.core.errors import DataError
from labelprop.core.text import counted
from labelprop.core.types import UNLABELED

TEXTS = frozenset(("", "-1", "-1.0"))
_BYTES = frozenset(text.encode() for text in TEXTS)
_NEAR = 10  # below the maximum of an unsigned type: labels there say that the maximum is one of them


def is_missing(value: Any) -> bool:
    """Whether a single value is none: None, NaN, NaT, `pandas.NA` or a masked entry."""
    if value is None or value is np.ma.masked:
        return True
    if getattr(value, "ndim", 0):
        return False
    try:
        return bool(value != value)  # noqa: PLR0124 - of all values only NaN and NaT
    except TypeError:  # `pandas.NA` is not even unequal
        return type(value).__name__ == "NAType"


def is_unlabeled(value: Any) -> bool:
    """The rule, for a single value."""
    if isinstance(value, str):  # first, since columns of texts are long
        return value in TEXTS
    if isinstance(value, bytes):
        return value in _BYTES
    return is_missing(value) or (isinstance(value, Number) and bool(value == UNLABELED))  # type: ignore[comparison-overlap]


def is_no_label(value: Any) -> bool:
    """Whether a single value is a number that is no name of a class: infinite or complex."""
    if isinstance(value, complex | np.complexfloating):
        return True
    return isinstance(value, float | np.floating) and bool(np.isinf(value))


def say_no_label(value: Any, what: str) -> str:
    """Why it is refused."""
    return f"{what} is {value}; labels are neither infinite nor complex, and -1 or NaN marks unlabeled rows."


def unlabeled(column_N: np.ndarray, where: str = "y") -> np.ndarray:
    """The rule, for a column (`column.as_column`): bool (N,).

    Raises DataError where an unsigned column holds the maximum of its type and nothing near it: -1 that wrapped.
    """
    values_N, kind = np.ma.getdata(column_N), column_N.dtype.kind
    if kind == "O":
        found_N = np.fromiter(map(is_unlabeled, values_N), dtype=bool, count=len(values_N))
    elif kind in "US":
        texts = TEXTS if kind == "U" else _BYTES
        found_N = np.logical_or.reduce([values_N == text for text in texts])
    elif kind in "fc":
        found_N = np.isnan(values_N) | (values_N == UNLABELED)
    elif kind in "mM":
        found_N = np.isnat(values_N)
    else:
        found_N = values_N == UNLABELED if kind == "i" else np.zeros(len(values_N), dtype=bool)
    found_N = np.asarray(found_N | np.ma.getmaskarray(column_N))
    if kind == "u":
        _refuse_wrapped(values_N, ~found_N, where)
    return found_N


def _refuse_wrapped(values_N: np.ndarray, there_N: np.ndarray, where: str) -> None:
    top = np.iinfo(values_N.dtype).max
    top_N = there_N & (values_N == top)
    if top_N.any() and not (there_N & (values_N >= top - _NEAR) & ~top_N).any():
        rows = np.flatnonzero(top_N)
        raise DataError(
            f"{where} holds {top} in {len(rows):,} of {counted(len(values_N), 'row')}, the first is row {rows[0]}. "
            f"That is the largest number of {values_N.dtype}, and no other label is near it: was it -1, which "
            f"{values_N.dtype} cannot hold? Store labels as int64, with -1 where unlabeled, or with {top} if that is "
            "a class."
        )
