"""Texts become values of the type of a default."""

from __future__ import annotations

import pytest

from labelprop.core.errors import RequestError
from labelprop.core.values import parse_value


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [("3", 1, 3), ("0.5", 1.0, 0.5), ("yes", False, True), ("none", None, None), ("2", None, 2), ("0.5", None, 0.5)],
)
def test_values_take_the_type_of_their_default(text: str, default: object, value: object) -> None:
    assert parse_value("--set x", text, default) == value


@pytest.mark.parametrize(("text", "default"), [("maybe", True), ("many", 3), ("much", 1.0)])
def test_values_of_another_type_are_refused(text: str, default: object) -> None:
    with pytest.raises(RequestError, match=f"--set x={text} must be"):
        parse_value("--set x", text, default)
