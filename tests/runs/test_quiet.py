"""Quiet work says nothing but its warnings, which a run keeps, quiet or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.progress import RunWarning, WarningsOnly
from labelprop.runs.parameter_names import as_parameters

NEAR_FIRST = np.array([[1, 0.01 * step] for step in range(12)] + [[-1, 0.0]], np.float32)
LABELS = ["a", *[None] * 11, "b"]  # every unlabeled row is an "a"


def warnings_in(run: Path) -> list[str]:
    kept: list[str] = json.loads((run / "run.json").read_text())["warnings"]
    return kept


def test_quiet_work_in_python_warns_of_the_callers_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(RunWarning) as warned:
        labelprop.propagate(NEAR_FIRST, LABELS, out=tmp_path / "run", baselines=False, quiet=True)
    said = [str(one.message) for one in warned]
    assert [as_parameters(text) for text in warnings_in(tmp_path / "run")] == said
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
    assert said == [f"warning: {text}" for text in warnings_in(tmp_path / "run")]


def test_warnings_of_python_are_kept_and_come_all_the_same(tmp_path: Path) -> None:
    options: dict[str, Any] = {"method": "label-propagation", "parameters": {"max_iter": 1}, "baselines": False}
    with pytest.warns(ConvergenceWarning) as warned:
        labelprop.propagate(NEAR_FIRST, LABELS, out=tmp_path / "run", quiet=True, **options)
    assert {as_parameters(text) for text in warnings_in(tmp_path / "run")} == {str(one.message) for one in warned}


class Stops:
    def on_epoch(self, record: dict[str, Any]) -> None:
        raise ZeroDivisionError


def test_a_continued_training_keeps_what_was_warned_of_before(tmp_path: Path) -> None:
    options: dict[str, Any] = {"recipe": "supervised", "steps": 2, "baselines": False, "out": tmp_path / "run"}
    with pytest.raises(ZeroDivisionError):
        labelprop.train(NEAR_FIRST, LABELS, callbacks=Stops(), **options)
    record = tmp_path / "run" / "run.json"
    kept = json.loads(record.read_text())
    record.write_text(json.dumps(kept | {"warnings": ["earlier", *kept["warnings"]]}))
    labelprop.train(NEAR_FIRST, LABELS, resume=True, **options)
    found = warnings_in(tmp_path / "run")
    assert found[0] == "earlier"
    assert len(set(found)) == len(found)


def test_messages_are_no_warnings() -> None:
    WarningsOnly().say("graph: 12 weights")
