"""A large pool: select from it, train a student on what was selected, fine-tune that on the true labels."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import DataError, RequestError
from labelprop.core.progress import Silent
from labelprop.data.contents import TensorContent
from labelprop.runs import predict
from labelprop.runs.requests import SelectRequest
from patterns import write_patterns

SMALL = {"batch_size": 12}


class Said(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(few labeled images, a pool without labels, its truth, a run on the former)."""
    base = tmp_path_factory.mktemp("pools")
    write_patterns(base / "labeled", n=12)
    truth = write_patterns(base / "pool", n=150, labeled=0, seed=5)
    run = labelprop.train(base / "labeled", out=base / "teacher", recipe="supervised", epochs=30, settings=SMALL)
    return base / "labeled", base / "pool", truth, run


def by_hand(run: labelprop.Run, pool, per_image: int, per_class: int) -> list[tuple[str, str, int]]:
    """(label as text, id, rank) from the whole distribution of every example."""
    table = run.predict(pool, proba=True)
    ids, classes = table.column("id").to_pylist(), run.model.classes
    scores_NC = np.array(table.column("probabilities").to_pylist(), np.float32)
    among_NC = np.argsort(np.argsort(-scores_NC, axis=1, kind="stable"), axis=1) < per_image
    found = []
    for code, label in enumerate(classes):
        rows = [row for row in np.argsort(-scores_NC[:, code], kind="stable") if among_NC[row, code]]
        found += [(label, ids[row], rank) for rank, row in enumerate(rows[:per_class], 1)]
    return found


def chosen(table: pa.Table) -> list[tuple[str, str, int]]:
    return [(row["label"], row["id"], row["rank"]) for row in table.to_pylist()]


@pytest.mark.parametrize(("per_image", "per_class"), [(1, 20), (2, 7), (10, 500)])
def test_the_best_of_each_class_by_the_classifier(trained, per_image, per_class) -> None:
    _, pool, _, run = trained
    said = Said()
    table = run.select(pool, per_image=per_image, per_class=per_class, reporter=said)
    assert chosen(table) == by_hand(run, pool, per_image, per_class)
    assert any("fewer than 500 examples" in line for line in said.lines) == (per_class == 500)


def test_vectors_on_disk_are_read_once_and_in_batches(tmp_path, monkeypatch) -> None:
    rng = np.random.default_rng(0)
    codes = np.arange(3000) % 3
    np.save(tmp_path / "X.npy", (2 * np.eye(3, 6)[codes] + rng.normal(size=(3000, 6))).astype(np.float32))
    y = np.where(np.arange(90) < 30, codes[:90], -1)
    run = labelprop.train(
        np.load(tmp_path / "X.npy")[:90], y, out=tmp_path / "run", recipe="supervised", epochs=3, settings=SMALL
    )
    expected = [(int(label), name, rank) for label, name, rank in by_hand(run, tmp_path / "X.npy", 2, 40)]
    opened = predict.open_new_data(SelectRequest(run=run.path, data=tmp_path / "X.npy"))
    read: list[np.ndarray] = []
    whole = TensorContent.read
    monkeypatch.setattr(TensorContent, "read", lambda self, rows: (read.append(rows), whole(self, rows))[1])
    monkeypatch.setattr(predict, "open_new_data", lambda *_: opened)
    assert chosen(run.select(tmp_path / "X.npy", per_image=2, per_class=40)) == expected
    assert max(map(len, read)) <= 500, "never all of it"
    assert np.array_equal(np.concatenate(read), np.arange(3000)), "every row once, in order"


def test_a_pool_seen_through_a_backbone(tmp_path) -> None:
    texts = [f"{('up', 'down')[i % 2]} {i}" for i in range(300)]
    rows = [{"id": str(i), "text": text, "label": ("u", "d")[i % 2]} for i, text in enumerate(texts)]

    def embed(batch: list[str]) -> np.ndarray:
        assert len(batch) <= 128, "a batch at a time"
        return np.array([[text.startswith("up"), text.startswith("down"), len(text) / 50] for text in batch])

    pq.write_table(pa.Table.from_pylist(rows[:20]), tmp_path / "few.parquet")
    pq.write_table(
        pa.table({name: [row[name] for row in rows] for name in ("id", "text")}), tmp_path / "pool.parquet"
    )
    run = labelprop.train(
        tmp_path / "few.parquet", out=tmp_path / "run", backbone=embed, recipe="supervised", epochs=20, settings=SMALL
    )
    table = run.select(tmp_path / "pool.parquet", per_image=1, per_class=30, backbone=embed)
    best = [row for row in table.to_pylist() if row["label"] == "u"]
    assert len(best) == 30
    assert all(int(row["id"]) % 2 == 0 for row in best)
    predicted = {
        row["id"]: row["certainty"] for row in run.predict(tmp_path / "pool.parquet", backbone=embed).to_pylist()
    }
    assert [row["score"] for row in best] == pytest.approx(
        sorted((predicted[row["id"]] for row in best), reverse=True)
    )


def test_data_of_another_kind_are_refused(trained, tmp_path) -> None:
    _, pool, _, run = trained
    with pytest.raises(RequestError, match="holds no images"):
        run.select(np.zeros((4, 3), np.float32))
    with pytest.raises(RequestError, match="per_class=0 must be at least 1"):
        run.select(pool, per_class=0)


def test_a_student_on_the_selected_labels_then_fine_tuned_on_the_true_ones(trained, tmp_path) -> None:
    labeled, pool, truth, teacher = trained
    out = tmp_path / "selected.parquet"
    done = CliRunner().invoke(
        app, ["select", str(teacher.path), str(pool), "--per-image", "2", "--per-class", "30", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(f" selected: {out}\n")
    assert chosen(pq.read_table(out)) == by_hand(teacher, pool, 2, 30)
    said = Said()
    student = labelprop.train(
        pool,
        labels=out,
        truth=truth,
        out=tmp_path / "student",
        only_labeled=True,
        recipe="supervised",
        epochs=30,
        settings=SMALL,
        reporter=said,
    )
    best: dict[str, tuple[float, str]] = {}
    for row in pq.read_table(out).to_pylist():
        best[row["id"]] = max(best.get(row["id"], (-1.0, "")), (row["score"], row["label"]))
    assert set(student.labels.column("source").to_pylist()) == {"given"}, "the rest of the pool is left out"
    given = {row["id"]: row["label"] for row in student.labels.to_pylist()}
    assert given == {name: label for name, (_, label) in best.items()}
    several = pq.read_table(out).num_rows - len(best)
    assert (several > 0) == any("selected for several classes" in line for line in said.lines)
    final = labelprop.train(
        labeled,
        test=_with_truth(pool, truth, tmp_path / "test"),
        out=tmp_path / "final",
        recipe="supervised",
        init=student.path,
        epochs=3,
        settings=SMALL | {"lr": 0.003},
    )
    record = json.loads((final.path / "run.json").read_text())
    assert record["init"]
    before, after = (load_file(run.path / "model.safetensors") for run in (student, final))
    trunk = [name for name in before if name.startswith("trunk.") and before[name].is_floating_point()]
    moved = [(after[name] - before[name]).norm() / before[name].norm() for name in trunk if name.endswith("weight")]
    assert 0 < max(moved) < 0.2, "fine-tuned: the student's weights, moved a little"
    assert not torch.equal(before["heads.class.weight"], after["heads.class.weight"])
    assert final.metrics["test"]["accuracy"] > 0.9


def _with_truth(pool: Path, truth: Path, folder: Path) -> Path:
    """The pool as a folder with class sub-folders."""
    for line in truth.read_text().splitlines()[1:]:
        name, label = line.split(",")
        (folder / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(pool / name, folder / label / Path(name).name)
    return folder


def test_only_a_selection_may_name_an_id_twice(trained, tmp_path) -> None:
    _, pool, _, _ = trained
    first = next(path.name for path in sorted((pool / "unlabeled").iterdir()))
    twice = {"id": [f"unlabeled/{first}"] * 2, "label": ["rows", "disk"]}
    pq.write_table(pa.table(twice | {"score": [0.2, 0.7]}), tmp_path / "scored.parquet")
    with pytest.raises(DataError, match="two different labels"):
        labelprop.train(pool, labels=tmp_path / "scored.parquet", out=tmp_path / "run")
    pq.write_table(pa.table(twice | {"score": [0.2, None], "rank": [1, 1]}), tmp_path / "hole.parquet")
    with pytest.raises(DataError, match="score None must be a number"):
        labelprop.train(pool, labels=tmp_path / "hole.parquet", out=tmp_path / "run")
