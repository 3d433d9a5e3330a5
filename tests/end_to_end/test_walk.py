"""The functions that docs/how-it-works.md names on the way of one row are those that it passes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest
from PIL import Image

import labelprop
from labelprop.cli import main as command

PAGE = Path(__file__).parents[2] / "docs" / "how-it-works.md"
PACKAGE = Path(labelprop.__file__).parent


SETTINGS = "train photos/ --labels labels.csv --out runs/x --epochs 2 --image-size 32 --quiet"


def named() -> list[str]:
    """`file.py:function` or `file.py:Class` as the walk names them, in its order."""
    walk = PAGE.read_text(encoding="utf-8").partition("## One row")[2].partition("`labelprop propagate`")[0]
    return re.findall(r"`([\w/]+\.py:[\w.]+)`", walk)


def photos_and_labels(folder: Path) -> None:
    """24 images in color of two classes, six of them labeled."""
    (folder / "photos").mkdir()
    generator = np.random.default_rng(0)
    for row in range(24):
        pixels = generator.integers(0, 60, (32, 32, 3), dtype=np.uint8) + np.uint8(120 * (row % 2))
        Image.fromarray(pixels).save(folder / "photos" / f"{row}.png")
    lines = [f"{row}.png,{'ab'[row % 2]}" for row in range(6)]
    (folder / "labels.csv").write_text("\n".join(["id,label", *lines]) + "\n")


def is_of(called: str, name: str) -> bool:
    """Whether a function is the one of that name, or inside it: a method of a class, what a decorator made."""
    return f"{called}.".startswith(f"{name}.")


def calls_of(names: Sequence[str], work: Callable[[], None]) -> list[str]:
    """Which of these functions, or of the methods of these classes, `work` calls, in order and repeated."""
    known: dict[CodeType, str | None] = {}
    called = []

    def name_of(code: CodeType) -> str | None:
        if not code.co_filename.startswith(str(PACKAGE)):
            return None
        own = f"{Path(code.co_filename).relative_to(PACKAGE)}:{code.co_qualname}"
        return own if any(is_of(own, name) for name in names) else None

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in known:
                known[code] = name_of(code)
            if known[code] is not None:
                called.append(known[code])

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def test_a_row_passes_the_functions_of_the_page_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos_and_labels(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["labelprop", *SETTINGS.split()])

    def work() -> None:
        with pytest.raises(SystemExit, match="0"):
            command.main()

    names, later = named(), iter(calls_of(named(), work))
    assert len(names) > 30
    # `any` goes on in the calls from where it found one before.
    assert [name for name in names if not any(is_of(called, name) for called in later)] == []
    assert "runs/x/report.html" in capsys.readouterr().out
