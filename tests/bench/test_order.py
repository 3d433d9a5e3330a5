"""The order bench: which differences its second table shows, and cells of one thread that run beside each other."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from labelprop.bench import cells, order
from labelprop.bench.equal_passes import RecipeRow, section, summarize
from labelprop.bench.sets import split_images
from labelprop.cli.main import app
from labelprop.core.progress import Silent
from labelprop.training import recipes
from paper_data import write_table_set

UNLABELED = {
    "supervised": [0.50, 0.70, 0.60],
    "network-prediction": [0.58, 0.80, 0.69],
    "dlp": [0.70, 0.90, 0.83],
    "mean-teacher": [0.60, 0.75, 0.65],
}


def cell(row: str, split: int, unlabeled: float) -> dict:
    return {
        **{"row": row, "split": split, "unlabeled": unlabeled, "test": 0.5, "pseudo_labels": None},
        **{"density_count_r": None, "training_seconds": 1.0, "peak_memory_bytes": 1, "passes": 10},
    }


def test_every_row_is_a_recipe_and_those_compared_are_rows() -> None:
    (part,) = order.BENCH_SETS
    for row in part.rows:
        recipes.build(row.recipe, row.settings)
    names = {row.name for row in part.rows}
    assert {name for pair in part.compared for name in pair} <= names
    assert {("dlp", "network-prediction"), ("network-prediction", "supervised")} <= set(part.compared)


def test_rows_are_compared_by_split_also_with_others_than_the_labels_alone() -> None:
    found = summarize(
        [cell(row, split, value) for row, values in UNLABELED.items() for split, value in enumerate(values)],
        [("dlp", "network-prediction"), ("dlp", "mean-teacher"), ("mt+dlp", "dlp")],
    )
    gains = np.subtract(UNLABELED["dlp"], UNLABELED["network-prediction"])  # .12, .10, .14
    over = found["dlp"]["over"]["network-prediction"]
    assert over["mean"] == pytest.approx(0.12)
    assert over["standard_error"] == pytest.approx(gains.std(ddof=1) / 3**0.5)
    assert over["positive"] == 3
    assert found["dlp"]["over"]["mean-teacher"]["mean"] == pytest.approx((0.1 + 0.15 + 0.18) / 3)
    assert "over" not in found["network-prediction"]


def test_the_second_table_has_the_pairs_that_were_run() -> None:
    part = replace(order.BENCH_SETS[0], compared=(("dlp", "network-prediction"), ("mt+dlp", "dlp")))
    three = [cell(row, split, UNLABELED[row][split]) for row in ("network-prediction", "dlp") for split in range(3)]
    lines = section(part, summarize(three, part.compared)).splitlines()
    assert [word.strip() for word in lines[-1].strip("|").split("|")] == [
        *("dlp", "network-prediction", "+12.0 ± 1.2", "+10.4", "3"),
    ]
    alone = section(part, summarize(three[:1], part.compared)).splitlines()
    assert alone[-1].startswith("| network-prediction"), "one table"


def test_pictures_are_brought_to_the_size_of_the_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelprop.bench.cells.alone", lambda work, *args, reporter: work(*args, reporter))
    write_table_set(tmp_path / "toy", n_classes=3, per_class=30, side=12)
    part = replace(
        order.BENCH_SETS[0],
        name="toy",
        draw=partial(split_images, name="toy", rows=80, per_class=4),
        image_size=8,
        passes=400,
        splits=1,
        rows=(RecipeRow("supervised", {"batch_size": 12}),),
    )
    monkeypatch.setattr(order, "BENCH_SETS", (part,))
    out = tmp_path / "out"
    found = CliRunner().invoke(app, ["bench", "order", "--data", str(tmp_path), "--out", str(out)])
    assert found.exit_code == 0, found.output
    (model,) = out.glob("runs/*/model.json")
    assert json.loads(model.read_text())["architecture"]["input_shape"] == [3, 8, 8]


def _process(number: int, reporter: object) -> dict[str, int]:
    import os

    import torch

    return {"process": os.getpid(), "threads": torch.get_num_threads()}


@pytest.mark.slow
def test_cells_beside_each_other_have_a_process_each_and_are_kept(tmp_path: Path) -> None:
    work = [({"cell": number}, partial(_process, number)) for number in range(3)]
    file = cells.CellFile(tmp_path / "cells.jsonl")
    found = list(file.run_apart(work[:2], 2, Silent()))
    assert {row["cell"] for row in found} == {0, 1}
    assert len({row["process"] for row in found}) == 2
    assert {row["threads"] for row in found} == {1}
    (last,) = cells.CellFile(tmp_path / "cells.jsonl").run_apart(work, 1, Silent())
    assert last["cell"] == 2, "the others are there"
