"""Ids and labels as text, by the rules of the contract: nothing is inferred from what a text looks like.

`labels.unlabeled` says what is unlabeled. Names are in Unicode's composed form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np

from labelprop.core.errors import DataError
from labelprop.core.text import composed, counted
from labelprop.data.labels.column import as_column
from labelprop.data.labels.unlabeled import is_missing, is_no_label, is_unlabeled, say_no_label, unlabeled

_INTEGER = re.compile(r"[+-]?[0-9]+\Z")  # such classes sort as numbers: 2 before 10

_LARGEST = 2**63  # below which a number has a type in Arrow

# What labels came as, where that is no text: so they go back to Python, while files hold text.
LabelType = Literal["integer", "float", "boolean"]
_TYPES: dict[str, LabelType] = {"i": "integer", "u": "integer", "f": "float", "b": "boolean"}  # by NumPy's kind
_VALUES: dict[LabelType, Any] = {"boolean": bool | np.bool_, "integer": Integral, "float": float | np.floating}


def plain_text(value: Any) -> str | None:
    """A cell as text; None where it is missing. 7 and 7.0 give '7', the text '007' stays '007'.

    Raises DataError for lists and arrays.
    """
    if isinstance(value, str):
        return str(value)
    if _is_list(value):
        raise DataError(f"ids and labels are single values, found {value!r:.60}.")
    if is_missing(value):
        return None
    if hasattr(value, "item"):  # numpy and torch scalars; Python has no times finer than a microsecond
        finer = isinstance(value, np.datetime64) and isinstance(value.item(), int)
        value = (value.astype("M8[us]") if finer else value).item()
    match value:
        case bool():
            return str(value).lower()
        case float() if value.is_integer():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case _:
            return str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | dict) or getattr(value, "ndim", 0) != 0


def _plain(value: Any) -> Any:
    """A part of a list as JSON takes it."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def id_text(value: Any) -> str:
    """An id, composed; '' where there is none."""
    return composed(plain_text(value) or "")


def label_text(value: Any) -> str | None:
    """A label, composed; None where it is unlabeled. Raises DataError for infinite and complex numbers.

    A list is written out as a text file would have it; where labels are joined, both count alike (`labels.lists`).
    """
    if is_no_label(value):
        raise DataError(say_no_label(value, "the label"))
    text = json.dumps(value, ensure_ascii=False, default=_plain) if _is_list(value) else plain_text(value)
    return None if text is None or is_unlabeled(text) else composed(text)


def label_texts(column: Any, names: Sequence[str] = (), where: str = "labels") -> list[str | None]:
    """Labels of a column: a list of cells, or what `as_column` reads.

    Whole numbers become the class `names` its metadata declares, if any. Raises DataError naming the row where a
    number has no name, or is infinite or complex.
    """
    if isinstance(column, list):
        return [_named(value, names, where, row) for row, value in enumerate(column)]
    column_N = as_column(column)
    texts_N = np.full(len(column_N), None, dtype=object)
    row_L = np.flatnonzero(~unlabeled(column_N, where)).tolist()
    values_L = np.ma.getdata(column_N)[row_L]
    if values_L.dtype.kind != "O":  # equal ones are looked at once
        values_L, first_U, place_L = np.unique(values_L, return_index=True, return_inverse=True)
        unique = [_named(value, names, where, row_L[at]) for value, at in zip(values_L, first_U, strict=True)]
        texts_N[row_L] = np.array(unique, dtype=object)[place_L]
    else:
        texts_N[row_L] = [_named(value, names, where, row) for value, row in zip(values_L, row_L, strict=True)]
    return list(texts_N)


def _named(value: Any, names: Sequence[str], where: str, row: int) -> str | None:
    try:
        text = label_text(value)
    except DataError as error:
        raise DataError(f"{where}, row {row}: {error}") from error
    if not names or text is None or not isinstance(value, int | np.integer):
        return text
    if not 0 <= value < len(names):
        raise DataError(
            f"{where}, row {row}: label {value} is outside the {counted(len(names), 'class name')} declared. "
            "Use -1 for unlabeled rows, or correct the class names."
        )
    return composed(names[int(value)])


def label_type(column: Any) -> LabelType | None:
    """What the labels of a column are, where all of them are numbers or all truth values."""
    values = column if isinstance(column, list) else as_column(column)
    if not isinstance(values, list) and values.dtype.kind != "O":
        return _TYPES.get(values.dtype.kind)
    kinds: set[LabelType | None] = set()
    for value in values:
        if not is_unlabeled(value):
            kinds.add(_type_of(value))
            if None in kinds:
                return None
    return _one_type(kinds)


def _type_of(value: Any) -> LabelType | None:
    for kind, types in _VALUES.items():
        if isinstance(value, types):
            return kind
    return None


def _one_type(kinds: set[LabelType | None]) -> LabelType | None:
    """The only one of them; whole numbers among others are numbers, too."""
    if kinds == {"integer", "float"}:
        return "float"
    return next(iter(kinds)) if len(kinds) == 1 else None


def common_type(types: Iterable[LabelType | None], classes: Sequence[str]) -> LabelType | None:
    """The type of labels from several places: the one that came, where the name of every class can be of it.

    Text that was joined to numbers can be numbers in a CSV file, which has no types.
    """
    found = _one_type(set(types) - {None})
    return found if found is None or all(_is_of(name, found) for name in classes) else None


def _is_of(name: str, kind: LabelType) -> bool:
    """Whether a class name is what `plain_text` writes for a value of this type."""
    if kind == "boolean":
        return name in ("true", "false")
    try:
        value = int(name) if kind == "integer" else float(name)
    except ValueError:
        return False
    return plain_text(value) == name and abs(value) < _LARGEST


def is_integer(label: str) -> bool:
    """Whether a label reads as a whole number."""
    return _INTEGER.match(label) is not None


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Unique label texts, sorted; as integers where all of them are integers."""
    unique = set(labels)
    if all(map(is_integer, unique)):
        return tuple(sorted(unique, key=lambda label: (int(label), label)))
    return tuple(sorted(unique))
