"""CellFile are run once; a restart continues, also after a kill in the middle of a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelprop.bench.cells import CellFile
from labelprop.core.errors import RequestError


def test_a_cell_is_run_once_and_read_again(tmp_path: Path) -> None:
    runs = []

    def compute() -> dict[str, Any]:
        runs.append(1)
        return {"accuracy": 0.5}

    for _ in range(2):
        row = CellFile(tmp_path / "cells.jsonl").run({"set": "a", "subset": 0}, compute)
        assert (row["set"], row["subset"], row["accuracy"]) == ("a", 0, 0.5)
        assert row["seconds"] >= 0
    assert len(runs) == 1
    CellFile(tmp_path / "cells.jsonl").run({"set": "a", "subset": 1}, compute)
    assert len(runs) == 2


def test_a_line_cut_off_by_a_kill_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    cells = CellFile(path)
    cells.run({"subset": 0}, lambda: {"accuracy": 0.25})
    cells.run({"subset": 1}, lambda: {"accuracy": 0.75})
    path.write_bytes(path.read_bytes()[:-9])
    again = CellFile(path)
    assert [row["subset"] for row in again.rows] == [0]
    assert again.run({"subset": 1}, lambda: {"accuracy": 1.0})["accuracy"] == 1.0
    assert [row["accuracy"] for row in CellFile(path).rows] == [0.25, 1.0]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cells.jsonl"
    path.write_text('{"subset": 0}\nnot json\n{"subset": 2}\n', encoding="utf-8")
    with pytest.raises(RequestError, match=r"line 2 of .*cells\.jsonl is damaged"):
        CellFile(path)
