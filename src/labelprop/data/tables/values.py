"""Ids and labels as text, by the rules of the contract: nothing is inferred from what a text looks like."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from labelprop.core.errors import DataError

UNLABELED_TEXTS = ("", "-1")  # what a text file can say; arrays may also hold None and NaN
_INTEGER = re.compile(r"[+-]?[0-9]+\Z")  # such classes sort as numbers: 2 before 10


def plain_text(value: Any) -> str | None:
    """A cell as text; None for null and NaN. 7 and 7.0 give '7', the text '007' stays '007'.

    Raises DataError for lists and arrays.
    """
    if isinstance(value, list | tuple | dict) or getattr(value, "ndim", 0) != 0:
        raise DataError(f"ids and labels are single values, found {value!r:.60}.")
    if hasattr(value, "item"):  # numpy and torch scalars
        value = value.item()
    match value:
        case None:
            return None
        case str():
            return value
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return None
        case float() if value.is_integer():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", "backslashreplace")
        case _:
            return str(value)


def label_text(value: Any) -> str | None:
    """A label as text; None for the markers of an unlabeled row: null, NaN, -1 and the empty text."""
    text = plain_text(value)
    return None if text is None or text in UNLABELED_TEXTS else text


def label_texts(values: Iterable[Any], names: tuple[str, ...], where: str) -> list[str | None]:
    """Labels of a column; whole numbers become the class `names` its metadata declares, if any.

    Raises DataError naming the row where a number has no name.
    """
    if not names:
        return [label_text(value) for value in values]
    texts = []
    for row, value in enumerate(values):
        text = label_text(value)
        if isinstance(value, int) and text is not None:
            if not 0 <= value < len(names):
                raise DataError(
                    f"{where}, row {row}: label {value} is outside the {len(names)} class names declared. "
                    "Use -1 for unlabeled rows, or correct the class names."
                )
            text = names[value]
        texts.append(text)
    return texts


def sort_classes(labels: Iterable[str]) -> tuple[str, ...]:
    """Unique label texts, sorted; as integers where all of them are integers."""
    unique = set(labels)
    if all(_INTEGER.match(label) for label in unique):
        return tuple(sorted(unique, key=lambda label: (int(label), label)))
    return tuple(sorted(unique))
