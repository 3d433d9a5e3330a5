"""The tables in the repository and its docs say what the saved cells say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WRITER = ROOT / "benchmarks" / "tables.py"


def test_tables_are_those_of_the_cells() -> None:
    done = subprocess.run([sys.executable, WRITER, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"run python benchmarks/tables.py: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("bench", ["small", "recipes", "order"])
def test_every_stretch_of_a_bench_says_where_it_was_run(bench: str) -> None:
    folder = ROOT / "benchmarks" / "results" / bench
    runs = json.loads((folder / "provenance.json").read_text())
    sets = {json.loads(line)["set"] for line in (folder / "cells.jsonl").read_text().splitlines()}
    assert all({"command", "commit", "date", "machine", "versions", "remark"} <= set(run) for run in runs)
    commands = [run["command"] for run in runs]
    assert all(any(name in command or "--sets" not in command for command in commands) for name in sets)
