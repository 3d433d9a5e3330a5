"""Benches of the papers' tables: requests, files, tables, and each of the four from images to a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from labelprop.bench import paper
from labelprop.bench.paper import measured_percent, summarize
from labelprop.bench.paper_files import imagenet_files, table_files
from labelprop.cli.main import app
from labelprop.core.errors import DataError, RequestError
from labelprop.methods import phases
from paper_data import write_imagenet, write_table_set


def bench(tmp_path: Path, name: str, *arguments: str):
    given = ["bench", name, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--quiet", *arguments]
    (tmp_path / "data").mkdir(exist_ok=True)
    return CliRunner().invoke(app, given)


def cells_of(tmp_path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "out" / "cells.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("paper-cifar10",),
            "cifar10/train.parquet is missing; --data must name a folder with cifar10/train.parquet",
        ),
        (("paper-cifar100",), "cifar100/train.parquet is missing"),
        (("paper-mini-imagenet",), "mini_imagenet/train.parquet is missing"),
        (("paper-imagenet",), "imagenet/train is missing or has no folder a class; --data must name a folder with"),
        (("paper-cifar10", "--recipe", "dpl"), "did you mean 'dlp'?"),
        (("paper-cifar10", "--labels", "0"), "--labels 0 must be above 0"),
        (
            ("paper-cifar10", "--labels", "1000", "--recipe", "dlp-certainty"),
            "which has 500 labels; give --labels 500",
        ),
        (("paper-imagenet", "--percent", "4"), "--percent 4 is none of the paper's: 1, 3, 5, 10"),
        (("paper-imagenet", "--percent", "1", "--recipe", "llp-noc"), "--percent 10 and all images"),
        (("paper-imagenet", "--network", "resnet34"), "unknown network of the LLP tables 'resnet34'"),
        (
            ("paper-imagenet", "--labels", "500"),
            "--labels is no flag of bench paper-imagenet; it is one of paper-cifar10",
        ),
        (("paper-cifar10", "--labels", "500", "--set", "labels=500"), "--labels and --set labels=... say the same"),
        (("paper-cifar10", "--epochs", "few"), "--epochs few must be none or a whole number"),
    ],
)
def test_wrong_requests_say_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = bench(tmp_path, *arguments)
    assert done.exit_code == 2
    assert said in done.stderr


def test_labels_are_shared_out_equally_and_drawn_by_the_split(tmp_path: Path) -> None:
    write_table_set(tmp_path / "cifar10", 3, 6, 8)
    drawn = []
    for split in (0, 0, 1):
        files = table_files(tmp_path, "cifar10", 6, split, tmp_path / "files")
        given = list(csv.DictReader(files.labels.read_text().splitlines()))
        assert sorted(row["label"] for row in given) == [f"class {label}" for label in (0, 0, 1, 1, 2, 2)]
        assert len(list(csv.DictReader(files.truth.read_text().splitlines()))) == 12
        drawn.append({row["id"] for row in given})
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(RequestError, match="--split -1 must be at least 0"):
        table_files(tmp_path, "cifar10", 6, -1, tmp_path / "files")
    for labels in (7, 18):
        with pytest.raises(
            RequestError, match=f"--labels {labels} cannot be shared out: .* has 3 classes of at least 6"
        ):
            table_files(tmp_path, "cifar10", labels, 0, tmp_path / "files")


def test_imagenet_is_a_table_of_paths_with_the_first_images_labeled(tmp_path: Path) -> None:
    write_imagenet(tmp_path / "imagenet", 2, 50, 4)
    files = imagenet_files(tmp_path, 1, 70, 32, tmp_path / "files")
    rows = list(csv.DictReader(files.images.read_text().splitlines()))
    assert len(rows) == 2 * 35
    first = [row for row in rows if row["id"].startswith("n0000/")]
    assert [row["id"] for row in first] == [f"n0000/{number:03d}.png" for number in range(35)]
    assert [row["label"] for row in first] == ["n0000"] * 13 + [""] * 22
    assert all(Path(row["image"]).is_file() for row in rows)
    assert (files.test, files.image_size) == (tmp_path / "imagenet" / "val", 32)
    hidden = list(csv.DictReader(files.truth.read_text().splitlines()))
    assert [row["id"] for row in hidden] == [row["id"] for row in rows if not row["label"]]
    assert all(row["label"] == row["id"].partition("/")[0] for row in hidden)
    assert (
        len(
            list(
                csv.DictReader(
                    imagenet_files(tmp_path, 3, 30, 32, tmp_path / "files").images.read_text().splitlines()
                )
            )
        )
        == 2 * 39
    )
    with pytest.raises(DataError, match=r"n0000 has 50 images; p = 5 needs 65"):
        imagenet_files(tmp_path, 5, 100, 32, tmp_path / "files")


def cell(row: str, split: int, top1: float, top5: float | None, measure: str) -> dict[str, Any]:
    return {
        "table": "a table",
        "row": row,
        "split": split,
        "method": row.upper(),
        "measure": measure,
        "paper": "12.00",
        "paper_table": "DLP",
        "top1": top1,
        "top5": top5,
        "training_seconds": 10.0 + split,
        "images_per_second": 100.0,
        "device": "cpu",
        "peak_memory_bytes": 2**30 + split,
    }


def test_tables_measure_as_the_paper_does_and_keep_its_number_apart() -> None:
    values = ("top-1 error", 40), ("top-5 error", 10), ("top-1 accuracy", 60), ("top-5 accuracy", 90)
    for measure, percent in values:
        assert measured_percent(cell("dlp", 0, 0.6, 0.9, measure)) == pytest.approx(percent)
    assert measured_percent(cell("dlp", 0, 0.6, None, "top-5 error")) is None
    rows = summarize([cell("dlp", split, 0.6 + split / 10, None, "top-1 error") for split in (0, 1)])["a table"]
    assert rows["dlp"]["measured"] == {"mean": pytest.approx(35), "std": pytest.approx(50**0.5), "n": 2}
    assert rows["dlp"]["paper"] == "12.00"
    assert rows["dlp"]["top5"] is None
    assert rows["dlp"]["peak_memory_bytes"] == 2**30 + 1


def test_a_folder_grows_by_calls_with_other_settings_and_nothing_runs_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table_set(tmp_path / "data" / "cifar10", 3, 12, 12)
    small = ("paper-cifar10", "--labels", "6", "--epochs", "2", "--model", "conv13(width=4)")
    assert bench(tmp_path, *small, "--recipe", "supervised").exit_code == 0
    first = cells_of(tmp_path)[0]
    assert (first["steps"], first["paper"], first["top5"]) == ({"supervised": 2}, None, None)
    assert bench(tmp_path, *small, "--recipe", "supervised", "--split", "1").exit_code == 0
    done = bench(tmp_path, *small[:-1], "mlp", "--recipe", "supervised")
    assert done.exit_code == 0, done.stderr
    assert [(found["split"], "mlp" in found["table"]) for found in cells_of(tmp_path)] == [
        (0, False),
        (1, False),
        (0, True),
    ]
    assert done.stdout.count("Fully supervised") == 2
    assert "--epochs 0 must be above 0" in bench(tmp_path, *small[:3], "--epochs", "0").stderr
    monkeypatch.setattr(paper, "train", None)  # would fail if it were called
    assert bench(tmp_path, *small, "--recipe", "supervised", "--split", "1").exit_code == 0
    assert bench(tmp_path, "paper-cifar100", "--recipe", "dlp").exit_code == 2, "another bench's folder"


def test_a_cell_that_was_killed_after_its_training_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table_set(tmp_path / "data" / "cifar10", 3, 12, 12)
    asked = (
        "paper-cifar10",
        "--labels",
        "6",
        "--epochs",
        "2",
        "--model",
        "conv13(width=4)",
        "--recipe",
        "mean-teacher",
    )
    real, seen = paper.images_per_second, []

    def killed(*_: Any) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(paper, "images_per_second", killed)
    assert bench(tmp_path, *asked).exit_code == 130
    (weights,) = (tmp_path / "out" / "runs").glob("*/model.safetensors")
    written = weights.stat().st_mtime_ns
    monkeypatch.setattr(paper, "images_per_second", lambda *given: seen.append(1) or real(*given))
    done = bench(tmp_path, *asked)
    assert done.exit_code == 0, done.stderr
    assert len(cells_of(tmp_path)) == len(seen) == 1
    assert weights.stat().st_mtime_ns == written


@pytest.fixture
def short_phases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases beside the main one have 5 steps at least instead of 100."""
    monkeypatch.setattr(phases, "MIN_STEPS", 5)


@pytest.mark.slow
@pytest.mark.usefixtures("short_phases")
@pytest.mark.parametrize(
    ("name", "n_classes", "side", "model", "rows"),
    [
        ("cifar10", 10, 16, "conv13(width=8,weight_norm=true)", 5),
        ("cifar100", 12, 16, "conv13(width=8,weight_norm=true)", 4),
        ("mini_imagenet", 8, 36, "resnet18(width=8)", 4),
    ],
)
def test_all_rows_of_a_table_run(tmp_path: Path, name: str, n_classes: int, side: int, model: str, rows: int) -> None:
    write_table_set(tmp_path / "data" / name, n_classes, 20, side)
    labels = str(4 * n_classes)
    done = bench(
        tmp_path,
        f"paper-{name.replace('_', '-')}",
        "--labels",
        labels,
        "--epochs",
        "2",
        "--model",
        model,
        "--split",
        "3",
    )
    assert done.exit_code == 0, done.stderr
    cells = cells_of(tmp_path)
    assert len(cells) == rows
    for found in cells:
        assert 0 <= found["top1"] <= found["top5"] <= 1
        assert found["images_per_second"] > 0
        assert found["paper"] is None, "no paper has so few labels"
    text = (tmp_path / "out" / "table.md").read_text()
    assert "MT + DLP" in text
    assert ("top-5 error" in text) == (name == "mini_imagenet")


@pytest.mark.slow
@pytest.mark.usefixtures("short_phases")
@pytest.mark.parametrize("network", ["resnet18", "resnet50"])
def test_all_rows_of_an_imagenet_table_run(tmp_path: Path, network: str) -> None:
    write_imagenet(tmp_path / "data" / "imagenet", 6, 20, 40)
    model = f"preact_{network}(width=4)"
    arguments = ("--percent", "1", "--network", network, "--model", model, "--image-size", "32", "--epochs", "2")
    done = bench(tmp_path, "paper-imagenet", *arguments)
    assert done.exit_code == 0, done.stderr
    cells = {found["row"]: found for found in cells_of(tmp_path)}
    assert list(cells) == ["supervised", "mean-teacher", "llp", "llp+rj"]
    assert cells["llp+rj"]["steps"] == {"ir": 5, "llp": 2, "rate jump": 5}
    assert all(0 <= found["top1"] <= found["top5"] <= 1 for found in cells.values())
    printed = {"resnet18": "33.55", "resnet50": "72.20"}[network]
    assert cells["llp+rj"]["paper"] == printed
    assert f"| {printed} " in (tmp_path / "out" / "table.md").read_text()
    described = [json.loads(path.read_text()) for path in (tmp_path / "out" / "runs").glob("*/model.json")]
    assert [one["architecture"]["input_shape"] for one in described] == [[3, 28, 28]] * 4, "7/8 of what is stored"
