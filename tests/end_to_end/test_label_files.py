"""Labels and tables as other programs write them, through the command and the Python call."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError

LABELED = {2: "r", 3: "g", 4: "r", 5: "g"}  # image -> label; even ones are red


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train/00000.jpg to 00011.jpg beside labels files; the folder is where the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABELPROP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "train").mkdir()
    noise = np.random.default_rng(0)
    for row in range(12):
        pixels = noise.integers(0, 40, (8, 8, 3), dtype=np.uint8)
        pixels[..., row % 2] += 150
        Image.fromarray(pixels).save(tmp_path / "train" / f"{row:05}.jpg")
    return tmp_path


def command(*arguments: object) -> tuple[int, str]:
    found = CliRunner().invoke(app, [*map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.stdout + found.stderr


def label_studio(image: str) -> str:
    """An export as CSV; `id` is the number of the task."""
    lines = ["annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at"]
    lines += [f"{row},1,{label},2024,{100 + row},{image.format(row)},3.2,2024" for row, label in LABELED.items()]
    return "\n".join(lines) + "\n"


def kaggle(name: str, head: str = "image_id,class") -> str:
    return "\n".join([head, *(f"{name.format(row)},{label}" for row, label in LABELED.items())]) + "\n"


@pytest.mark.parametrize(
    ("content", "flags", "said"),
    [
        (kaggle("{:05}.jpg"), [], "ids are taken from the column 'image_id', labels from 'class'"),
        (kaggle("{:05}"), [], "'00002' is '00002.jpg'"),
        (kaggle("train\\{:05}.jpg", "filename,target"), [], "labels from 'target'"),
        (label_studio("/data/upload/1/3f2a000{0}-{0:05}.jpg"), [], "is '00002.jpg', and so on"),
        (label_studio("/data/local-files/?d=train/{:05}.jpg"), [], "ids are taken from the column 'image'"),
        (
            kaggle("{:05}.jpg", "who,what"),
            ["--labels-id-col", "who", "--labels-label-col", "what"],
            "ids are taken from the column 'who', labels from 'what'",
        ),
    ],
)
def test_labels_of_other_programs_beside_a_folder(photos: Path, content: str, flags: list[str], said: str) -> None:
    (photos / "l.csv").write_text(content)
    status, text = command(
        "propagate", "train", "--labels", "l.csv", *flags, "--no-baselines", "--no-report", "--out", "run"
    )
    assert status == 0, text
    assert said in text
    labels = labelprop.load("run").labels.to_pydict()
    assert labels["label"] == ["r", "g"] * 6
    given = [row for row, source in enumerate(labels["source"]) if source == "given"]
    assert given == list(LABELED)


def test_columns_of_labels_are_not_those_of_a_folder(photos: Path) -> None:
    (photos / "l.csv").write_text(kaggle("{:05}.jpg"))
    arguments = ["--labels", "l.csv", "--id-col", "image_id", "--label-col", "class", "--out", "run"]
    status, text = command("propagate", "train", *arguments)
    assert status == 2
    assert "--labels-id-col and --labels-label-col" in text


@pytest.mark.parametrize("verb", ["propagate", "train", "doctor"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ls.json", "In Label Studio, export as CSV"),
        ("t.txt", "rename it to t.csv"),
        ("y.pt", "numpy.save('y.npy'"),
        ("l.xlsx", "CSV UTF-8"),
        ("l.what", ".csv .tsv .jsonl .parquet"),
        ("missing.json", "no file 'missing.json'"),
        ("missing/labels", "no file 'missing/labels'"),
    ],
)
def test_labels_of_another_kind_are_refused_by_it(photos: Path, verb: str, name: str, said: str) -> None:
    """The command said that labels of shape (1,) do not fit."""
    if not name.startswith("missing"):
        (photos / name).write_text("0 cat\n")
    out = [] if verb == "doctor" else ["--out", "run"]
    status, text = command(verb, "train", "--labels", name, *out)
    assert status == 2
    assert said in text
    assert "shape" not in text
    assert not (photos / "run").exists()


@pytest.mark.parametrize("name", ["X.json", "X.xlsx", "X.pt"])
def test_data_of_another_kind_say_how_to_convert_them(photos: Path, name: str) -> None:
    (photos / name).write_text("[]")
    status, text = command("doctor", name)
    assert status == 2
    assert "DATA is a folder of images, a table" in text
    assert "CSV" in text or "numpy.save" in text


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """X.npy, vectors of two classes, at the place where the command runs."""
    monkeypatch.chdir(tmp_path)
    classes = np.arange(20) % 2
    vectors = 3 * np.eye(4)[classes] + np.random.default_rng(0).normal(size=(20, 4))
    np.save(tmp_path / "X.npy", vectors.astype(np.float32))
    return tmp_path


LABELS = "id,label\n0,Käse\n1,Öl\n2,Käse\n3,Öl\n"


@pytest.mark.parametrize(
    ("name", "content", "flags"),
    [
        ("l.csv", LABELS.encode("utf-16"), []),
        ("l.csv", LABELS.replace(",", "\t").encode("utf-16"), []),  # "Unicode text" of a spreadsheet
        ("l.csv.gz", gzip.compress(LABELS.encode(), mtime=0), []),
        ("l.csv", LABELS.encode("cp1252"), ["--encoding", "cp1252"]),
        ("l.csv", LABELS.encode("utf-8-sig") + b",\n", ["--encoding", "cp1252"]),
    ],
)
def test_labels_of_any_encoding(words: Path, name: str, content: bytes, flags: list[str]) -> None:
    (words / name).write_bytes(content)
    (words / "truth.csv").write_bytes("id,label\n4,Käse\n5,Öl\n".encode("cp1252" if flags else "utf-8"))
    arguments = ["--labels", name, "--truth", "truth.csv", "--no-baselines", "--no-report", "--out", "run", *flags]
    status, text = command("propagate", "X.npy", *arguments)
    assert status == 0, text
    run = labelprop.load("run")
    assert set(run.labels.column("label").to_pylist()) == {"Käse", "Öl"}
    assert run.metrics["unlabeled"]["accuracy"] is not None


def test_an_unknown_encoding_has_a_nearest(words: Path) -> None:
    status, text = command("doctor", "X.npy", "--encoding", "cp-1252x")
    assert status == 2
    assert "did you mean 'cp1252'" in text


def propagated(data: Any, labels: Any, out: str, **options: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = labelprop.propagate(
        data, labels, out=out, baselines=False, **options
    ).labels.to_pydict()
    return found


def test_the_same_from_python(words: Path) -> None:
    (words / "l.csv").write_text("who,what\n0,a\n1,b|c\n2,a\n3,b\n")
    options = {"labels_id_col": "who", "labels_label_col": "what"}
    with pytest.raises(RequestError, match=r"'b\|c' \(l\.csv, line 3, id '1'\)"):
        propagated("X.npy", "l.csv", "run", **options)
    found = propagated("X.npy", ["l.csv"], "run", literal_labels=True, **options)
    assert found["label"][:4] == ["a", "b|c", "a", "b"]


def test_labels_correct_those_of_the_data(words: Path) -> None:
    """Look, correct, run again: a wrong label of DATA is corrected in a labels file."""
    vectors = np.load("X.npy")
    np.savez("D.npz", X=vectors, y=np.array(["a", "b", "b", "b", *[""] * 16]))
    (words / "corrections.csv").write_text("id,label\n2,a\n")
    with pytest.raises(RequestError, match=r"'2' is 'b' in 'D' and 'a' in .*prefer='labels'"):
        propagated("D.npz", "corrections.csv", "run")
    found = propagated("D.npz", "corrections.csv", "run", prefer="labels")
    assert found["label"][:4] == ["a", "b", "a", "b"]
    with pytest.raises(RequestError, match=r"unknown prefer='data'"):
        propagated("D.npz", "corrections.csv", "run2", prefer="data")


def test_a_wide_table_with_its_texts(words: Path) -> None:
    vectors = np.load("X.npy")
    lines = ["name,said,label,v0,v1,v2,v3"]
    for row, vector in enumerate(vectors.tolist()):
        label = "ab"[row % 2] if row < 4 else ""
        lines.append(f"n{row},sentence {row},{label},{','.join(map(repr, vector))}")
    (words / "wide.csv").write_text("\n".join(lines) + "\n")
    (words / "l.csv").write_text("".join(["id,label\n", *(f"{row},{'ab'[row % 2]}\n" for row in range(4))]))
    flags = ["--id-col", "name", "--text-col", "said", "--embedding-cols", "v*", "--no-baselines"]
    status, text = command("propagate", "wide.csv", *flags, "--out", "wide")
    assert status == 0, text
    assert "vectors of 4 columns, 'v0' to 'v3'; the text in 'said' is shown only" in text
    found, arrays = labelprop.load("wide").labels.to_pydict(), propagated("X.npy", "l.csv", "arrays")
    assert found["id"][3] == "n3"
    for column in ("label", "certainty", "margin", "source"):
        assert found[column] == arrays[column]
    assert "sentence 7" in (words / "wide" / "report.html").read_text(encoding="utf-8")


def test_a_classifier_needs_the_columns_of_vectors_and_not_the_text(words: Path) -> None:
    header = "id,text,label,v0,v1,v2,v3\n"
    rows = [",".join(map(repr, vector)) for vector in np.load("X.npy").tolist()]
    (words / "t.csv").write_text(
        header + "".join(f"{i},x{i},{'ab'[i % 2] if i < 6 else ''},{row}\n" for i, row in enumerate(rows))
    )
    (words / "new.csv").write_text("id,v0,v1,v2,v3\n" + "".join(f"{i},{row}\n" for i, row in enumerate(rows[:4])))
    options = {"recipe": "supervised", "steps": 40, "baselines": False}
    run = labelprop.train("t.csv", text_col="text", embedding_cols="v0:v3", out="run", **options)
    assert run.predict("new.csv").column("label").to_pylist() == ["a", "b", "a", "b"]
