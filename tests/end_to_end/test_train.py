"""The main job on a small folder, table and arrays: files of the contract, values that hold together."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

import labelprop
from labelprop.core.display import ProgressLines
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.report.gather.numbers import percent_of
from labelprop.runs.classifier import Classifier
from patterns import write_patterns

FILES = {
    *("labels.parquet", "pseudo_labels.parquet", "model.safetensors", "model.json", "run.json", "metrics.json"),
    *("history.jsonl", "report.html", "evidence.parquet", "checkpoints", "analyses"),
}


SMALL = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}


def read_rows(path: Path) -> list[list[str]]:
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "patterns"
    truth = write_patterns(folder)
    out = tmp_path_factory.mktemp("runs") / "run"
    return folder, labelprop.train(folder, truth=truth, out=out, epochs=4, test=folder, settings=SMALL)


def test_run_folder_holds_the_files_of_the_contract(trained) -> None:
    _, run = trained
    assert {path.name for path in run.path.iterdir()} == FILES
    record = json.loads((run.path / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["recipe"] == "dlp"
    assert record["settings"]["n_neighbors"] == 5
    assert record["stages"]["dlp: steps"]["seconds"] > 0


def test_the_page_draws_the_analyses_of_this_training(trained) -> None:
    _, run = trained
    page = run.report.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    last = [line["monitor"] for line in lines if line["training"] == "dlp"][-1]
    assert page.count('<svg class="plane"') == 5, "four moments and one class"
    assert f"alike: {percent_of(last['nearest_neighbor_accuracy'])} this run" in page
    assert f"right {sum(last['certainty_of_right']):.0f}<" in page


def test_labels_cover_every_row_in_input_order(trained) -> None:
    _folder, run = trained
    table = run.labels
    assert table.schema.names == ["id", "label", "certainty", "margin", "source", "accepted"]
    ids = table.column("id").to_pylist()
    assert len(ids) == len(set(ids)) == 60
    given = [row for row in table.to_pylist() if row["source"] == "given"]
    assert len(given) == 12
    assert all(row["label"] == row["id"].split("/")[0] and row["certainty"] == row["margin"] == 1 for row in given)
    assert {row["source"] for row in table.to_pylist()} == {"given", "predicted"}


def test_metrics_are_the_shares_that_the_files_show(trained) -> None:
    folder, run = trained
    truth = dict(read_rows(folder.with_name("patterns-truth.csv"))[1:])
    rows = [row for row in run.labels.to_pylist() if row["source"] == "predicted"]
    right = np.mean([row["label"] == truth[row["id"]] for row in rows])
    metrics = run.metrics
    assert metrics["unlabeled"] == {"n": 48, "scored": 48, "accuracy": pytest.approx(right)}
    assert metrics["n"] == 60
    assert metrics["n_given"] == 12
    assert metrics["classes"] == ["columns", "disk", "rows"]
    assert 0 <= metrics["baseline"]["unlabeled"] <= 1
    assert 0 <= metrics["baseline"]["test"] <= 1
    assert 0 <= metrics["propagation_only"]["unlabeled"] <= 1
    assert metrics["test"]["n"] == 12
    assert metrics["test"]["top5"] is None, "three classes have no top 5"
    assert metrics["unlabeled"]["accuracy"] > 0.6, "three clear patterns"


def test_history_has_a_line_an_epoch(trained) -> None:
    _, run = trained
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    record = json.loads((run.path / "run.json").read_text())
    per_epoch = record["steps_per_epoch"]
    expected = sum(-(-steps // per_epoch) for phases in record["phases"].values() for steps in phases.values())
    assert len(lines) == expected
    last = lines[-1]
    assert (last["training"], last["phase"], last["epoch"]) == ("dlp", "dlp", 4)
    assert set(last) == {"training", "phase", "epoch", "step", "seconds", "lr", "loss", "terms", "monitor"}
    assert "pseudo_label_accuracy" in last["monitor"]


def test_the_model_predicts_what_the_labels_say(trained) -> None:
    folder, run = trained
    again = run.predict(folder, proba=True)
    labels = run.labels
    predicted = [row["source"] == "predicted" for row in labels.to_pylist()]
    for name in ("id", "label"):
        a, b = again.column(name).to_pylist(), labels.column(name).to_pylist()
        assert [x for x, p in zip(a, predicted, strict=True) if p] == [
            y for y, p in zip(b, predicted, strict=True) if p
        ]
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in again.column("probabilities").to_pylist())
    model = run.model
    assert isinstance(model, Classifier)
    assert model.classes == ("columns", "disk", "rows")
    assert not model.training
    assert model(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 3)


def test_same_seed_same_answer_and_other_seed_another(patterns, tmp_path) -> None:
    folder, _truth = patterns
    runs = [
        labelprop.train(folder, out=tmp_path / name, epochs=2, settings=SMALL, seed=seed, baselines=False)
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    tables = [run.labels for run in runs]
    assert tables[0].equals(tables[1])
    assert not tables[0].equals(tables[2])


def test_the_truth_does_not_reach_training(patterns, tmp_path) -> None:
    folder, truth = patterns
    rows = read_rows(truth)
    swapped = tmp_path / "swapped.csv"
    with swapped.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *([row[0], "rows"] for row in rows[1:])])
    runs = [
        labelprop.train(folder, out=tmp_path / f"run{i}", truth=given, epochs=2, settings=SMALL)
        for i, given in enumerate((None, truth, swapped))
    ]
    assert runs[0].labels.equals(runs[1].labels)
    assert runs[0].labels.equals(runs[2].labels)
    assert runs[1].metrics["unlabeled"] != runs[2].metrics["unlabeled"]


def test_vectors_with_labels_beside_them(tmp_path) -> None:
    generator = np.random.default_rng(0)
    classes = np.arange(90) % 3
    X = 3 * np.eye(5)[classes] + generator.normal(size=(90, 5))
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    y = np.where(np.arange(90) < 15, classes, -1)
    np.save(tmp_path / "y.npy", y)
    np.save(tmp_path / "truth.npy", classes)
    run = labelprop.train(
        tmp_path / "X.npy",
        tmp_path / "y.npy",
        truth=tmp_path / "truth.npy",
        out=tmp_path / "run",
        epochs=3,
        settings=SMALL,
    )
    assert run.metrics["unlabeled"]["accuracy"] > 0.8
    assert json.loads((run.path / "run.json").read_text())["model"]["name"] == "mlp"
    assert run.predict(X[:7].astype(np.float32)).num_rows == 7


def test_table_of_images_with_an_empty_label_column(patterns, tmp_path) -> None:
    folder, _ = patterns
    files = sorted(folder.rglob("*.png"))
    labels = ["" if f.parent.name == "unlabeled" else f.parent.name for f in files]
    table = pa.table(
        {
            "image": [{"bytes": f.read_bytes(), "path": f.name} for f in files],
            "label": labels,
            "id": [f.name for f in files],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    run = labelprop.train(tmp_path / "t.parquet", out=tmp_path / "run", epochs=1, settings=SMALL, baselines=False)
    assert run.labels.column("id").to_pylist() == [f.name for f in files]
    assert run.metrics["unlabeled"]["accuracy"] is None
    assert run.metrics["baseline"]["unlabeled"] is None


def test_predict_remembers_the_columns_of_training(tmp_path) -> None:
    generator = np.random.default_rng(0)
    rows = [
        {
            "name": f"r{i}",
            "vec": [float(i % 2 * 3 + x) for x in generator.normal(size=3)],
            "label": str(i % 2) * (i < 8),
        }
        for i in range(40)
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = labelprop.train(
        tmp_path / "t.jsonl", out=tmp_path / "run", epochs=1, settings=SMALL, embedding_col="vec", id_col="name"
    )
    found = run.predict(tmp_path / "t.jsonl")
    assert found.column("id").to_pylist() == [row["name"] for row in rows]
    assert run.predict(np.zeros((2, 3), np.float32)).num_rows == 2, "arrays have no columns"


def test_all_labeled_falls_back_to_supervised_and_says_so(tmp_path) -> None:
    write_patterns(tmp_path / "all", n=12, labeled=4)
    said: list[str] = []

    class Heard(ProgressLines):
        def say(self, text: str) -> None:
            said.append(text)

    run = labelprop.train(tmp_path / "all", out=tmp_path / "run", epochs=1, reporter=Heard())
    assert run.metrics["recipe"] == "supervised"
    assert any("every example is labeled" in text for text in said)


@pytest.mark.parametrize("kind", ["vectors", "images in memory", "images streamed", "texts"])
def test_only_labeled_is_as_if_there_were_no_other_rows(tmp_path, kind: str) -> None:
    """Every second row has a label, every third a truth."""
    classes = [f"{'ab'[row % 4 // 2]}" for row in range(40)]
    if kind == "vectors":
        data = {"embedding": np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32).tolist()}
    elif kind == "texts":
        data = {"text": [f"{name} word{row}" for row, name in enumerate(classes)]}
    else:
        data = {"image": [encoded(row, 12 + (row % 3) * (kind == "images streamed")) for row in range(40)]}
    labels = [name if row % 2 else None for row, name in enumerate(classes)]
    whole = pa.table({"id": [f"r{row}" for row in range(40)], **data, "label": labels})
    few = whole.filter(whole.column("label").is_valid())
    truth = {f"r{row}": name for row, name in enumerate(classes) if row % 3 == 0}
    runs = []
    for name, table, options in (("few", few, {}), ("whole", whole, {"only_labeled": True})):
        pq.write_table(table, tmp_path / f"{name}.parquet")
        known = {key: value for key, value in truth.items() if options or key in few.column("id").to_pylist()}
        runs.append(
            labelprop.train(
                tmp_path / f"{name}.parquet",
                truth=known,
                out=tmp_path / name,
                recipe="supervised",
                augment="none",
                epochs=2,
                **options,
            )
        )
    assert runs[1].labels.num_rows == 20
    assert runs[1].labels.equals(runs[0].labels)
    assert runs[1].metrics["unlabeled"] == runs[0].metrics["unlabeled"]


def encoded(seed: int, side: int) -> bytes:
    """A PNG of noise."""
    held = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, 12, 3), dtype=np.uint8)).save(held, "PNG")
    return held.getvalue()


def test_a_budget_becomes_a_number_of_steps_once(patterns, tmp_path) -> None:
    folder, _ = patterns
    run = labelprop.train(folder, out=tmp_path / "run", budget="20s", settings=SMALL, baselines=False)
    record = json.loads((run.path / "run.json").read_text())
    assert record["budget"] == 20
    assert record["main_steps"] >= 20


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"recipe": "dpl"}, "did you mean 'dlp'"),
        ({"settings": {"alhpa": 0.5}}, "did you mean 'alpha'"),
        ({"epoch": 3}, "unknown option 'epoch'; did you mean 'epochs'"),
        ({"model": "smal_cnn"}, "did you mean 'small_cnn'"),
        ({"augment": "flip"}, "flip"),
        ({"device": "gpu"}, "Known: auto, cpu, cuda"),
        ({"epochs": 0}, "epochs=0 must be at least 1"),
        ({"seed": -1}, "seed=-1 must be at least 0"),
        ({"budget": "1s"}, "is too short"),
        ({"budget": "5min", "epochs": 3}, "exclude each other"),
    ],
)
def test_wrong_requests_are_refused_and_leave_nothing(patterns, tmp_path, options: dict, said: str) -> None:
    folder, _ = patterns
    with pytest.raises((RequestError, UnknownNameError)) as error:
        labelprop.train(folder, out=tmp_path / "run", **options)
    assert said in str(error.value)
    assert not (tmp_path / "run" / "labels.parquet").exists()


def test_labels_found_on_augmented_views_are_others_and_come_again(tmp_path) -> None:
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    X, y = np.eye(6)[classes] + generator.normal(size=(90, 6)), np.where(np.arange(90) < 12, classes, -1)
    losses = []
    for name, view in (("a", "weak"), ("b", "weak"), ("c", "eval")):
        options = {"settings": SMALL | {"label_view": view}, "augment": "noise", "baselines": False}
        run = labelprop.train(X.astype(np.float32), y, out=tmp_path / name, epochs=3, **options)
        lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
        losses.append([line["loss"] for line in lines])
    assert losses[0] == losses[1], "the views are drawn from the seed"
    assert losses[0] != losses[2]
