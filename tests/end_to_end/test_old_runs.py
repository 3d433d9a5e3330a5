"""Run folders that version 0.1.0 wrote, before the package was laid out in rooms, still load, predict and report."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import labelprop

OLD = Path(__file__).parents[1] / "old_runs" / "v0.1.0"
NAMES = ("train-dlp", "propagate-diffusion")


@pytest.fixture(params=NAMES)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(OLD / request.param, tmp_path / request.param))


def test_it_loads_with_its_labels_and_metrics(old: Path) -> None:
    run = labelprop.load(old)
    assert run.metrics["n"] == 60
    assert run.labels.num_rows == 60
    assert set(run.labels["label"].to_pylist()) == {"apple", "pear", "plum"}


def test_its_report_is_written_again(old: Path) -> None:
    page = labelprop.load(old).write_report()
    assert page == old / "report.html"
    assert page.stat().st_size > 50_000


def test_one_is_set_beside_the_other(tmp_path: Path) -> None:
    first, second = (Path(shutil.copytree(OLD / name, tmp_path / name)) for name in NAMES)
    assert labelprop.load(first).write_report(second).stat().st_size > 50_000


def test_its_classifier_predicts_what_it_predicted_then(tmp_path: Path) -> None:
    run = labelprop.load(shutil.copytree(OLD / "train-dlp", tmp_path / "run"))
    now = run.predict(OLD / "X.npy", proba=True)
    then = pq.read_table(OLD / "predictions.parquet")
    assert now.column_names == then.column_names
    assert now["label"].to_pylist() == then["label"].to_pylist()
    for name in ("certainty", "margin"):
        np.testing.assert_allclose(now[name].to_numpy(), then[name].to_numpy(), atol=1e-6)
    np.testing.assert_allclose(now["probabilities"].to_pylist(), then["probabilities"].to_pylist(), atol=1e-6)


def test_a_finished_training_has_nothing_to_resume(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OLD / "train-dlp", tmp_path / "run"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    rows = pq.read_table(folder / "labels.parquet").to_pylist()
    labels = {row["id"]: row["label"] for row in rows if row["source"] == "given"}
    labelprop.train(
        OLD / "X.npy",
        labels=labels,
        recipe="dlp",
        steps=60,
        settings={"n_neighbors": 5, "batch_size": 34, "labeled_batch_size": 10},
        device="cpu",
        out=folder,
        resume=True,
    )
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
