"""The protocol of Table 5: what is drawn, what is scored, what is written, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from labelprop.bench import table5
from labelprop.bench.sets import draw_nested
from labelprop.bench.table5 import PropagatorRow, draw_subset, score
from labelprop.bench.tables import markdown, percent, spread
from labelprop.cli.main import app


def clusters(n_classes: int, members: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels_N = rng.permutation(np.repeat(np.arange(n_classes), members))
    return (9 * np.eye(n_classes, 64)[labels_N] + rng.normal(size=(len(labels_N), 64))).astype(np.float32), labels_N


def test_subsets_hold_equal_classes_and_differ() -> None:
    vectors_ND, labels_N = clusters(6, 30)
    vectors_ND, labels_N = vectors_ND[7:], labels_N[7:]  # some classes are now too small
    counts = np.bincount(labels_N)
    enough = set(np.flatnonzero(counts >= 28).tolist())
    first = draw_subset(vectors_ND, labels_N, n_classes=len(enough), members=28, seed=0)
    again = draw_subset(vectors_ND, labels_N, n_classes=len(enough), members=28, seed=0)
    other = draw_subset(vectors_ND, labels_N, n_classes=len(enough), members=28, seed=1)
    assert set(first.labels_N.tolist()) == enough
    assert (np.unique(first.labels_N, return_counts=True)[1] == 28).all()
    np.testing.assert_array_equal(first.vectors_ND, again.vectors_ND)
    np.testing.assert_array_equal(first.places_N, again.places_N)
    assert not np.array_equal(first.vectors_ND, other.vectors_ND)
    for vector, label in zip(first.vectors_ND, first.labels_N, strict=True):
        assert labels_N[(vectors_ND == vector).all(axis=1)].tolist() == [label]


def test_places_number_the_rows_of_each_class() -> None:
    labels_N = np.array([2, 0, 2, 2, 0])
    places_N = draw_nested(labels_N, np.random.default_rng(0))
    assert sorted(places_N[labels_N == 2].tolist()) == [0, 1, 2]
    assert sorted(places_N[labels_N == 0].tolist()) == [0, 1]


def test_scores_count_unlabeled_rows_only_and_unreached_ones_as_wrong() -> None:
    vectors_ND, labels_N = clusters(2, 30)
    vectors_ND[::10] = 0  # similar to nothing
    subset = table5.Subset(vectors_ND, labels_N, draw_nested(labels_N, np.random.default_rng(0)))
    found = score(subset, PropagatorRow("DLP", "diffusion", {"n_neighbors": 5}), 5)
    unlabeled_N = subset.places_N >= 5
    lost_N = unlabeled_N & ~vectors_ND.any(axis=1)
    assert found["accuracy"] == pytest.approx(1 - lost_N.sum() / unlabeled_N.sum())
    assert found["converged"] in (True, False)


def test_tables_read_as_text() -> None:
    values = spread([0.5, 0.7])
    assert percent(values) == "60.0 ± 14.1"
    assert percent(spread([0.5])) == "50.0"
    assert percent(None) == "-"
    assert markdown(["a", "long"], [["x", "1"]]) == "| a | long |\n|---|------|\n| x | 1    |\n"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of small sets, the embedding of the trained run replaced by clusters."""
    folder = tmp_path / "data" / "banking77"
    folder.mkdir(parents=True)
    vectors_ND, labels_N = clusters(50, 55)
    np.save(folder / "emb_minilm_train.f16.npy", vectors_ND.astype(np.float16))
    np.save(folder / "labels_train.npy", labels_N)
    monkeypatch.setattr(table5, "unlabeled_embedding", lambda *_: clusters(10, 260, seed=1))
    monkeypatch.setattr(table5, "ALL_PER_CLASS", (1, 5))
    monkeypatch.setattr(
        table5,
        "ROWS",
        (PropagatorRow("DLP", "diffusion", {}, "89.2"), PropagatorRow("1-NN", "diffusion", {"alpha": 0})),
    )
    return tmp_path


def test_the_command_writes_tables_and_continues(small: Path) -> None:
    arguments = ["bench", "table5", "--data", str(small / "data"), "--out", str(small / "out"), "--set", "subsets=2"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "| DLP " in done.stdout
    assert (small / "out" / "table.md").read_text(encoding="utf-8").count("| DLP ") == 2
    lines = (small / "out" / "cells.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 * 2 * 2 * 2  # sets, subsets, labels a class, methods
    (small / "out" / "cells.jsonl").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert CliRunner().invoke(app, arguments).exit_code == 0
    again = (small / "out" / "cells.jsonl").read_text(encoding="utf-8").splitlines()
    assert again[:-1] == lines[:-1]
    measured = json.loads((small / "out" / "table.json").read_text(encoding="utf-8"))["columns"]
    assert measured["banking77, 5 a class"]["DLP"]["n"] == 2
    other = CliRunner().invoke(app, [*arguments[:-1], "subsets=3"])
    assert other.exit_code == 2
    assert "holds another bench or other settings" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table6"], r"unknown bench 'table6'; did you mean 'table5'?"),
        (["table5", "--set", "subset=3"], "did you mean 'subsets'?"),
        (["table5", "--data", "nowhere"], "--data nowhere is not a folder"),
        (["table5"], "banking77/emb_minilm_train.f16.npy"),
    ],
)
def test_wrong_requests_say_what_is_wrong(tmp_path: Path, arguments: list[str], message: str) -> None:
    given = arguments if "--data" in arguments else [*arguments, "--data", str(tmp_path)]
    done = CliRunner().invoke(app, ["bench", *given, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert message in done.stderr
