from __future__ import annotations

import pytest

from labelprop.core.errors import RequestError
from labelprop.core.text import byte_size, counted, duration, parse_duration, parse_value, quoted, whole_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "under 1 s"), (1.2, "1 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)  # fmt: skip
def test_durations_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10min", 600), ("1.5h", 5400), ("2", 120), (" 30 S ", 30), (0.5, 30)]
)
def test_durations_are_read(text: str | float, seconds: float) -> None:
    assert parse_duration(text, "--budget") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5min", "0s", "5 parsecs"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"--budget .*90s, 10min"):
        parse_duration(text, "--budget")


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(512, "512 B"), (3_000, "3 kB"), (240.4e6, "240 MB"), (3.44e9, "3.4 GB")],
)
def test_sizes(nbytes: float, text: str) -> None:
    assert byte_size(nbytes) == text


def test_lists_are_cut() -> None:
    assert quoted("abc") == "'a', 'b', 'c'"
    assert quoted("abc", limit=2) == "'a', 'b' and 1 more"
    assert quoted([1, 2], mark="") == "1, 2"
    assert (counted(1, "row"), counted(2000, "row"), counted(2, "class")) == ("1 row", "2,000 rows", "2 classes")


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3, "5s"), (58, "60s"), (90, "90s"), (91, "2min"), (600, "10min"), (5500, "1.6h"), (18000, "5h")],
)
def test_durations_as_a_flag_takes_them_are_rounded_up(seconds: float, text: str) -> None:
    assert whole_duration(seconds) == text
    assert parse_duration(text, "--budget") >= seconds
