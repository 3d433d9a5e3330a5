import pytest

from labelprop.report.words import brief, by_class, excerpt, listed, number, visible


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain name.png", "plain name.png"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069\u200f", "a\\u2066b\\u2069\\u200f"),
        ("two\nlines\tand\rmore", "two\\nlines\\tand\\rmore"),
        ("\x00\x1b[31m", "\\x00\\x1b[31m"),
        ("caf\u00e9 \u65e5\u672c", "caf\u00e9 \u65e5\u672c"),
        ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ],
)
def test_characters_that_hide_or_turn_text_are_written_out(name, shown):
    assert visible(name) == shown


def test_long_and_empty_names():
    assert brief("x" * 40) == "x" * 40
    assert brief("x" * 41) == "x" * 39 + "…"
    assert brief("") == "“”"
    assert brief("  ") == "“  ”"


def test_excerpt_collapses_white_space():
    assert excerpt("one\n\n two\tthree", 80) == "one two three"
    assert excerpt("one two three", 8) == "one two…"


def test_lists():
    assert (by_class([3, 1200]), by_class([2, 2])) == ("3 to 1,200 in each of 2 classes", "2 in each of 2 classes")
    assert by_class([3]) == "3 in one class"
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a and b", "a, b and c")
    assert number(1000) == "1,000"
