"""The bench of all recipes: who takes part, and that embeddings become the files of a training."""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from labelprop.bench import recipes
from labelprop.bench.cells import alone
from labelprop.bench.equal_passes import BenchSet, RecipeRow, section, summarize
from labelprop.bench.sets import split_banking77
from labelprop.cli.main import app
from labelprop.core import registry
from labelprop.core.memory import peak_memory_bytes
from labelprop.core.progress import Reporter, Silent


def test_every_recipe_that_serves_the_data_takes_part() -> None:
    images = {row.name for row in recipes.rows_for((1, 28, 28))}
    vectors = {row.name for row in recipes.rows_for((384,))}
    assert images == set(registry.entries("recipes")) - {"linear-readout"}
    assert images - vectors == {"s4l-rotation", "s4l-exemplar"}, "what their views do to a picture"
    assert recipes.rows_for((384,))[0].name == "supervised"


def write_banking77(folder: Path, rows: int = 90) -> None:
    """Three directions in four dimensions, as the files that the bench reads."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        labels = rng.integers(3, size=rows)
        vectors = (3 * np.eye(4)[labels] + rng.normal(size=(rows, 4))).astype(np.float16)
        np.save(folder / f"emb_minilm_{part}.f16.npy", vectors)
        np.save(folder / f"labels_{part}.npy", labels)


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting processes takes seconds; `test_a_cell_has_a_process_of_its_own` does."""
    monkeypatch.setattr("labelprop.bench.cells.alone", lambda work, *args, reporter: work(*args, reporter))


@pytest.mark.usefixtures("in_this_process")
def test_it_runs_on_embeddings_from_files_to_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_banking77(tmp_path / "banking77")
    settings = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}
    part = BenchSet(
        name="banking77",
        what="toys",
        draw=partial(split_banking77, per_class=4),
        model="mlp",
        passes=3000,
        splits=2,
        rows=(RecipeRow("supervised", {"batch_size": 12}), RecipeRow("dlp", settings)),
    )
    monkeypatch.setattr(recipes, "parts", lambda: [part])
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["bench", "recipes", "--data", str(tmp_path), "--out", str(out), "--splits", "1"])
    assert found.exit_code == 0, found.output
    cells = [json.loads(line) for line in (out / "cells.jsonl").read_text().splitlines()]
    assert [cell["row"].split()[0] for cell in cells] == ["supervised", "dlp"]
    assert all(cell["test"] > 0.6 and cell["unlabeled"] > 0.6 for cell in cells)
    table = (out / "table.md").read_text()
    assert "dlp batch_size=12" in table
    assert "More passes than that" not in table
    alone = ["--splits", "1", "--rows", "supervised batch_size=12"]
    again = CliRunner().invoke(app, ["bench", "recipes", "--data", str(tmp_path), "--out", str(out), *alone])
    assert again.exit_code == 0, again.output
    assert (out / "table.md").read_text() == table, "a table has all that the folder has"
    refused = ["--overwrite", "--rows", "nosuch"]
    found = CliRunner().invoke(app, ["bench", "recipes", "--data", str(tmp_path), "--out", str(out), *refused])
    assert found.exit_code == 2
    assert (out / "table.md").read_text() == table, "what is refused replaces nothing"


@pytest.mark.usefixtures("in_this_process")
def test_a_run_longer_than_the_budget_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_banking77(tmp_path / "banking77")
    rows = (
        RecipeRow("supervised", {"batch_size": 12}),
        RecipeRow("dlp", {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}),
    )
    part = BenchSet("banking77", "toys", partial(split_banking77, per_class=4), "mlp", 300, 1, rows)
    monkeypatch.setattr(recipes, "parts", lambda: [part])
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["bench", "recipes", "--data", str(tmp_path), "--out", str(out)])
    assert found.exit_code == 0, found.output
    noted = re.search(r"More passes than that, .*: dlp [^(]*\(([0-9,]+)\)\.", (out / "table.md").read_text())
    assert noted is not None
    assert int(noted[1].replace(",", "")) > 1_000, "100 steps of its first phase"


def where(number: int, reporter: Reporter) -> dict[str, int]:
    reporter.say("here")
    held = bytearray(number * 2**20)
    return {"process": os.getpid(), "peak_memory_bytes": peak_memory_bytes(), "held": len(held)}


def test_a_cell_has_a_process_of_its_own() -> None:
    """What this process held before is no part of a cell's peak memory."""
    ballast = bytearray(os.urandom(2**20)) * 600
    heard: list[str] = []
    reporter = Silent()
    reporter.say = heard.append  # type: ignore[method-assign]
    found = alone(where, 1, reporter=reporter)
    assert found["process"] != os.getpid()
    assert found["own_process"]
    assert found["peak_memory_bytes"] < len(ballast) < peak_memory_bytes()
    assert heard == ["here"]


def test_cells_that_shared_a_process_give_a_bound_and_unfinished_rows_say_so() -> None:
    part = BenchSet("banking77", "toys", partial(split_banking77, per_class=4), "mlp", 10, 2, (RecipeRow("dlp"),))
    cell = dict.fromkeys(("unlabeled", "test"), 0.5) | {"pseudo_labels": None, "density_count_r": None, "passes": 10}
    cell |= {"training_seconds": 1.0, "peak_memory_bytes": 2**31}
    cells = [cell | {"row": "dlp", "split": split} for split in (0, 1)]
    cells += [cell | {"row": "dlp alpha=0.5", "split": 0, "own_process": True}]
    whole, other = section(part, summarize(cells)).splitlines()[4:6]
    assert [text.strip() for text in whole.split("|")[1:-1:7]] == ["dlp", "≤ 2.0"]
    assert [text.strip() for text in other.split("|")[1:-1:7]] == ["dlp alpha=0.5 (1 of 2 splits)", "2.0"]
