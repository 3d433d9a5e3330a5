"""Quiet work says nothing but its warnings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.progress import RunWarning, WarningsOnly

NEAR_FIRST = np.array([[1, 0.01 * step] for step in range(12)] + [[-1, 0.0]], np.float32)
LABELS = ["a", *[None] * 11, "b"]  # every unlabeled row is an "a"


def test_quiet_work_in_python_warns_of_the_callers_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(RunWarning) as warned:
        labelprop.propagate(NEAR_FIRST, LABELS, out=tmp_path / "run", baselines=False, quiet=True)
    said = [str(one.message) for one in warned]
    assert any("1 of 2 classes got none" in text for text in said), said
    assert not any(text.startswith("warning") for text in said)
    assert {one.filename for one in warned} == {__file__}
    assert capsys.readouterr() == ("", "")


def test_quiet_work_of_a_command_prints_warnings_alone(tmp_path: Path) -> None:
    lines = "".join(
        f"{row},{x},{y},{label or ''}\n" for row, ((x, y), label) in enumerate(zip(NEAR_FIRST, LABELS, strict=True))
    )
    (tmp_path / "t.csv").write_text(f"id,x,y,label\n{lines}")
    asked = ["propagate", tmp_path / "t.csv", "--embedding-cols", "x:y", "--out", tmp_path / "run", "--no-baselines"]
    done = CliRunner().invoke(app, [*map(str, asked), "--quiet"])
    assert done.exit_code == 0, done.output
    said = done.stderr.splitlines()
    assert any("1 of 2 classes got none" in line for line in said)
    assert all(line.startswith("warning: ") for line in said)


def test_messages_are_no_warnings() -> None:
    WarningsOnly().say("graph: 12 weights")
