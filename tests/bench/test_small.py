"""The small bench: what its tables say of cells, and that it runs from real files to a table."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from labelprop.bench import equal_passes, small
from labelprop.bench.equal_passes import BenchFilter, BenchSet, RecipeRow, paired, select_sets, summarize
from labelprop.bench.sets import split_images
from labelprop.bench.small import BENCH_SETS
from labelprop.cli.main import app
from labelprop.core.errors import UnknownNameError
from labelprop.training import recipes


def write_set(folder: Path, rows: int = 120) -> None:
    """Three classes of 8-pixel images, train and test."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        labels = rng.integers(3, size=rows)
        cells = []
        for label in labels:
            pixels = rng.integers(0, 60, size=(8, 8), dtype=np.uint8)
            pixels[:, 2 * label : 2 * label + 2] += 150
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, "PNG")
            cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"image": cells, "label": labels})
        table = table.replace_schema_metadata({"class_names": json.dumps(["left", "middle", "right"])})
        pq.write_table(table, folder / f"{name}.parquet")


def cell(row: str, split: int, unlabeled: float, r: float | None = None) -> dict:
    return {
        "row": row,
        "split": split,
        "unlabeled": unlabeled,
        "test": 0.5,
        "pseudo_labels": None,
        "density_count_r": r,
        "training_seconds": 1.0,
        "peak_memory_bytes": 1,
        "passes": 10,
    }


def test_gains_are_paired_by_split() -> None:
    cells = [cell("supervised", 0, 0.5), cell("supervised", 1, 0.7), cell("dlp", 0, 0.6), cell("dlp", 1, 0.9)]
    found = summarize(cells)
    assert found["supervised"]["gain"] is None
    assert found["dlp"]["gain"]["mean"] == pytest.approx(0.15)
    assert found["dlp"]["gain"]["standard_error"] == pytest.approx(0.05)
    assert found["dlp"]["gain"]["positive"] == 2
    assert found["dlp"]["pseudo_labels"] is None


def test_one_pair_has_no_error() -> None:
    found = paired([0.1])
    assert found == {"mean": 0.1, "standard_error": None, "positive": 1, "below": False, "above": False}


@pytest.mark.parametrize(("far", "decided"), [(4.2, False), (4.4, True)])
def test_three_pairs_differ_beyond_4_303_standard_errors(far: float, decided: bool) -> None:
    """t(.975) with 2 degrees of freedom is 4.303."""
    spread = np.array([-1.0, 0.0, 1.0])
    error = 1 / np.sqrt(3)
    up, down = paired(list(spread + far * error)), paired(list(spread - far * error))
    assert (up["above"], up["below"]) == (decided, False)
    assert (down["above"], down["below"]) == (False, decided)


@pytest.mark.parametrize("part", BENCH_SETS, ids=lambda part: part.name)
def test_every_row_is_a_recipe(part: BenchSet) -> None:
    for row in part.rows:
        recipes.build(row.recipe, row.settings)
    assert len({row.name for row in part.rows}) == len(part.rows)


def test_sets_and_rows_can_be_chosen_by_name() -> None:
    (found,) = select_sets("small", BENCH_SETS, BenchFilter("cifar10", "dlp, supervised", 2, 0.5))
    assert (found.name, [row.name for row in found.rows]) == ("cifar10", ["supervised", "dlp"])
    assert (found.splits, found.passes) == (2, 400_000)
    assert select_sets("small", BENCH_SETS, BenchFilter()) == list(BENCH_SETS)
    assert select_sets("small", BENCH_SETS, BenchFilter(rows="llp density=None"))[0].rows == (
        RecipeRow("llp", {"density": None}),
    )
    with pytest.raises(UnknownNameError, match="unknown set of bench small 'cifar'; did you mean 'cifar10'"):
        select_sets("small", BENCH_SETS, BenchFilter("cifar"))
    with pytest.raises(UnknownNameError, match="unknown row of bench small 'lp'"):
        select_sets("small", BENCH_SETS, BenchFilter(rows="lp"))


def test_a_split_gives_so_many_labels_and_the_truth_of_the_others(tmp_path: Path) -> None:
    write_set(tmp_path / "toy")
    split = split_images(tmp_path, "toy", tmp_path / "out", rows=100, per_class=4, seed=1)
    assert (split.labels_N >= 0).sum() == 12
    given = split.labels.read_text().splitlines()[1:]
    others = split.truth.read_text().splitlines()[1:]
    assert len(given) == 12
    assert len(others) == 88
    assert {line.split(",")[1].strip('"') for line in given} == {"left", "middle", "right"}
    assert "label" not in pq.read_schema(split.examples).names


def test_it_runs_and_a_restart_runs_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path / "toy")
    settings = {"batch_size": 12, "labeled_batch_size": 6}
    rows = (RecipeRow("supervised", {"batch_size": 12}), RecipeRow("llp", settings | {"dim": 8}))
    draw = partial(split_images, name="toy", rows=100, per_class=4)
    monkeypatch.setattr(small, "BENCH_SETS", (BenchSet("toy", "toys", draw, "mlp", 2000, 3, rows),))
    monkeypatch.setattr("labelprop.bench.cells.alone", lambda work, *args, reporter: work(*args, reporter))
    command = ["bench", "small", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--set", "splits=2"]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    cells = [json.loads(line) for line in (tmp_path / "out" / "cells.jsonl").read_text().splitlines()]
    assert len(cells) == 4
    assert all(0 <= cell["unlabeled"] <= 1 for cell in cells)
    assert max(cell["test"] for cell in cells) > 0.5, "the test set calls its classes by the same names"
    assert "llp" in (tmp_path / "out" / "table.md").read_text()
    monkeypatch.setattr(equal_passes, "train", None)  # would fail if it were called
    assert CliRunner().invoke(app, command).exit_code == 0
