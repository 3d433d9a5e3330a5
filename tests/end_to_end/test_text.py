"""Texts seen without a pretrained model: trained on, propagated, predicted in another process, selected from."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.progress import Silent
from labelprop.training.checkpoint import Checkpoints

WORDS = {
    "money": ("refund", "charge", "payment", "balance", "transfer", "invoice"),
    "card": ("plastic", "chip", "pin code", "blocked card", "new card", "lost card"),
    "travel": ("airport", "abroad", "holiday", "hotel", "passport", "flight"),
}
SMALL = {"batch_size": 20, "labeled_batch_size": 10, "n_neighbors": 8}


class Said(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def sentences(n: int, seed: int) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    labels = [tuple(WORDS)[i % 3] for i in range(n)]
    return [f"please help with my {' and '.join(rng.choice(WORDS[label], 2))}" for label in labels], labels


def write(path, n: int, given: int, seed: int = 0):
    """A table of texts, and beside it the truth of those that are not labeled."""
    texts, labels = sentences(n, seed)
    ids = [f"t{i}" for i in range(n)]
    pq.write_table(pa.table({"id": ids, "text": texts, "label": labels[:given] + [""] * (n - given)}), path)
    truth = path.with_name(f"{path.stem}-truth.csv")
    rows = [f"{name},{label}\n" for name, label in zip(ids[given:], labels[given:], strict=True)]
    truth.write_text("id,label\n" + "".join(rows))
    return truth


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("texts")
    truth, said = write(base / "texts.parquet", 150, 15), Said()
    write(base / "test.parquet", 60, 60, seed=9)
    run = labelprop.train(
        base / "texts.parquet",
        truth=truth,
        test=base / "test.parquet",
        out=base / "run",
        report=False,
        epochs=8,
        settings=SMALL,
        backbone="tf-idf",
        reporter=said,
    )
    return base, run, said.lines


def test_texts_are_labeled_and_what_was_done_is_said(trained) -> None:
    _, run, said = trained
    assert any(line.startswith("texts become vectors by TF-IDF of ") for line in said)
    assert run.metrics["unlabeled"]["accuracy"] > 0.7
    assert run.metrics["test"]["accuracy"] > 0.7, "seen by what was learned from DATA; chance is a third"
    assert json.loads((run.path / "model.json").read_text())["backbone"]["learned"] is True


def test_new_texts_are_predicted_by_another_process_from_files_without_pickles(trained, tmp_path) -> None:
    base, run, _ = trained
    assert {"text.json", "text.safetensors"} <= {path.name for path in run.path.iterdir()}
    program = (
        "import sys, pickle, labelprop\n"
        "def refuse(*_, **__): raise AssertionError('a pickle')\n"
        "pickle.load = pickle.loads = refuse\n"
        "import pyarrow.parquet as pq\n"
        "pq.write_table(labelprop.predict(sys.argv[1], sys.argv[2], proba=True), sys.argv[3])\n"
    )
    command = [sys.executable, "-c", program, run.path, base / "test.parquet", tmp_path / "p.parquet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, truth = pq.read_table(tmp_path / "p.parquet"), pq.read_table(base / "test.parquet")
    right = np.mean([a == b for a, b in zip(found["label"].to_pylist(), truth["label"].to_pylist(), strict=True)])
    assert right == pytest.approx(run.metrics["test"]["accuracy"])
    one = run.predict(base / "test.parquet", proba=True)
    np.testing.assert_allclose(
        np.array(found["probabilities"].to_pylist()), np.array(one["probabilities"].to_pylist()), atol=1e-6
    )


def test_own_texts_are_predicted_as_they_were_labeled(trained) -> None:
    base, run, _ = trained
    own = {row["id"]: row for row in run.labels.to_pylist() if row["source"] == "predicted"}
    again = {row["id"]: row for row in run.predict(base / "texts.parquet").to_pylist()}
    assert all(again[name]["label"] == row["label"] for name, row in own.items())
    assert all(again[name]["certainty"] == pytest.approx(row["certainty"], abs=1e-5) for name, row in own.items())


def test_a_pool_of_texts_is_selected_from(trained) -> None:
    base, run, _ = trained
    table = run.select(base / "test.parquet", per_image=1, per_class=5)
    truth = {row["id"]: row["label"] for row in pq.read_table(base / "test.parquet").to_pylist()}
    assert table.num_rows == 15
    assert np.mean([truth[row["id"]] == row["label"] for row in table.to_pylist()]) > 0.9


def test_propagation_takes_texts_too(trained, tmp_path) -> None:
    base, _, _ = trained
    run = labelprop.propagate(
        base / "texts.parquet",
        truth=base / "texts-truth.csv",
        out=tmp_path / "run",
        report=False,
        method="label-spreading",
        parameters={"n_neighbors": 8},
        backbone="tf-idf",
    )
    assert run.metrics["unlabeled"]["accuracy"] > 0.8
    assert json.loads((run.path / "run.json").read_text())["backbone"] == "TF-IDF and SVD of the texts"


def test_a_killed_training_on_texts_ends_as_an_unbroken_one(trained, tmp_path, monkeypatch) -> None:
    base, run, _ = trained
    options = {"truth": base / "texts-truth.csv", "test": base / "test.parquet", "epochs": 8, "settings": SMALL}
    options["backbone"] = "tf-idf"
    save = Checkpoints.save

    def stopping(self, number, tensors, state) -> None:
        save(self, number, tensors, state)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", stopping)
        with pytest.raises(KeyboardInterrupt):
            labelprop.train(base / "texts.parquet", out=tmp_path / "run", report=False, **options)
    resumed = labelprop.train(base / "texts.parquet", out=tmp_path / "run", report=False, resume=True, **options)
    for name in ("labels.parquet", "model.safetensors", "text.json", "text.safetensors"):
        assert (resumed.path / name).read_bytes() == (run.path / name).read_bytes(), name


def test_what_does_not_fit_is_refused(trained, tmp_path) -> None:
    base, run, _ = trained
    rng = np.random.default_rng(0)
    codes = np.arange(40) % 2
    X = (3 * np.eye(2, 9)[codes] + rng.normal(size=(40, 9))).astype(np.float32)
    vectors = labelprop.train(
        X,
        np.where(np.arange(40) < 8, codes, -1),
        out=tmp_path / "vectors",
        report=False,
        recipe="supervised",
        epochs=1,
    )
    with pytest.raises(RequestError, match=r"holds texts, but the model in .* takes vectors"):
        vectors.predict(base / "test.parquet")
    with pytest.raises(RequestError, match="takes texts"):
        run.predict(X)
    with pytest.raises(RequestError, match="was trained on the data themselves, these are vectors by TF-IDF"):
        labelprop.train(
            base / "texts.parquet", out=tmp_path / "no", report=False, init=vectors.path, backbone="tf-idf"
        )


def test_fine_tuning_sees_new_texts_as_the_first_run_did(trained, tmp_path) -> None:
    base, run, _ = trained
    options = {"recipe": "supervised", "epochs": 2, "settings": {"lr": 0.001}}
    tuned = labelprop.train(base / "test.parquet", out=tmp_path / "tuned", report=False, init=run.path, **options)
    for name in ("text.json", "text.safetensors"):
        assert (tuned.path / name).read_bytes() == (run.path / name).read_bytes(), name
    before, after = (load_file(one.path / "model.safetensors") for one in (run, tuned))
    moved = np.linalg.norm(after["trunk.layers.1.weight"] - before["trunk.layers.1.weight"])
    assert 0 < moved / np.linalg.norm(before["trunk.layers.1.weight"]) < 0.1
    with pytest.raises(RequestError, match=r"was trained on vectors by TF-IDF.*these are vectors by .*other"):
        labelprop.train(
            base / "test.parquet", out=tmp_path / "no", report=False, init=run.path, backbone=other, **options
        )


def other(texts: list[str]) -> np.ndarray:
    return np.array([[len(text), 1.0] for text in texts])
