"""Every file of DATA is accounted for by each command; one image is predicted; names may be any bytes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.files import write_parquet
from patterns import write_patterns

SMALL = {"epochs": 1, "baselines": False, "settings": {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}}


class Told:
    """A reporter that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, *_: object) -> None: ...


class Made(NamedTuple):
    folder: Path
    train: labelprop.Run
    propagate: labelprop.Run
    told: dict[str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A folder with files of many kinds, trained on and propagated over."""
    root = tmp_path_factory.mktemp("files")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABELPROP_CACHE", str(root / "cache"))
        folder = root / "photos"
        write_patterns(folder)
        for name in ("blue/IMG_9.HEIC", "unlabeled/IMG_1.HEIC", "unlabeled/r.CR2", "unlabeled/s.dcm", "clip.mp4"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(b"x")
        (folder / "rows" / "@eaDir" / "000.png").mkdir(parents=True)
        shutil.copy(folder / "rows" / "000.png", folder / "rows" / "@eaDir" / "000.png" / "SYNOPHOTO_THUMB_M.png")
        told = {"train": Told(), "propagate": Told()}
        train = labelprop.train(folder, out=root / "train", reporter=told["train"], **SMALL)
        propagate = labelprop.propagate(
            folder,
            out=root / "propagate",
            reporter=told["propagate"],
            method="diffusion",
            parameters={"n_neighbors": 5},
        )
        said = {verb: "\n".join(reporter.lines) for verb, reporter in told.items()}
        said["doctor"] = "\n".join(finding.text for finding in labelprop.doctor(folder))
    return Made(folder, train, propagate, said)


@pytest.mark.parametrize("verb", ["doctor", "train", "propagate"])
def test_each_command_says_what_it_skips_and_why(made: Made, verb: str) -> None:
    said = made.told[verb]
    assert "2 .heic files cannot be read, skipped (no reader for .heic here: pip install pillow-heif" in said
    assert "1 .cr2 file cannot be read, skipped" in said
    assert "1 .dcm file cannot be read, skipped" in said
    assert "1 file skipped (a video: " in said
    assert "class 'blue' is left out, since no example of it can be read: 1 .heic file" in said


def test_doctor_ends_with_the_account(made: Made) -> None:
    why = "4 cannot be read, 1 not read as examples, 1 hidden or of the system"
    assert made.told["doctor"].splitlines()[-1] == f"66 files: 60 used, 6 skipped ({why}), 0 refused."


@pytest.mark.parametrize("verb", ["train", "propagate"])
def test_runs_list_what_was_skipped(made: Made, verb: str) -> None:
    run = getattr(made, verb)
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    assert {row["id"]: row["kind"] for row in record["skipped"]} == {
        **{"blue/IMG_9.HEIC": "unreadable", "unlabeled/IMG_1.HEIC": "unreadable", "unlabeled/r.CR2": "unreadable"},
        **{"unlabeled/s.dcm": "unreadable", "clip.mp4": "other", "rows/@eaDir/": "system"},
    }
    assert all(row["reason"] and row["files"] == 1 for row in record["skipped"])
    assert record["classes"] == ["columns", "disk", "rows"]
    assert run.labels.num_rows == 60
    page = run.report.read_text(encoding="utf-8")
    assert "4 files could not be read" in page
    assert "blue/IMG_9.HEIC" in page


def test_one_image_is_predicted_as_it_is_among_others(made: Made, tmp_path: Path) -> None:
    among = made.train.predict(made.folder / "unlabeled")
    alone = made.train.predict(str(made.folder / "unlabeled" / "020.png"))
    assert alone.column("id").to_pylist() == ["020.png"]
    row = among.column("id").to_pylist().index("020.png")
    assert alone.column("label")[0] == among.column("label")[row]
    assert alone.column("certainty")[0].as_py() == pytest.approx(among.column("certainty")[row].as_py(), abs=1e-5)
    with pytest.raises(RequestError, match=r"IMG_1\.HEIC' holds nothing that can be read"):
        made.train.predict(made.folder / "unlabeled" / "IMG_1.HEIC")


def test_labels_that_are_wrong_do_not_keep_from_predicting(made: Made, tmp_path: Path) -> None:
    shutil.copytree(made.folder / "rows", tmp_path / "new")
    (tmp_path / "new" / "metadata.csv").write_text("file_name,label\nnone.png,rows\n")
    with pytest.raises(RequestError, match=r"1 row of .*metadata\.csv without a file: 'none\.png'"):
        labelprop.propagate(tmp_path / "new", out=tmp_path / "run")
    assert made.train.predict(tmp_path / "new").num_rows == 4


@pytest.mark.parametrize("verb", ["train", "propagate", "doctor", "embed"])
def test_other_commands_refuse_one_image(made: Made, tmp_path: Path, verb: str) -> None:
    image = made.folder / "unlabeled" / "020.png"
    if verb == "doctor":
        assert "only predict takes" in labelprop.doctor(image)[0].text
        return
    options = {"backbone": "none"} if verb == "embed" else {"out": tmp_path / "run"}
    with pytest.raises(RequestError, match="which only predict takes; put it into a folder"):
        getattr(labelprop, verb)(image, **options)


def test_labels_in_the_folder_are_not_said_to_be_skipped(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(made.folder / "unlabeled", folder)
    (folder / "labels.csv").write_text("id,label\n012.png,rows\n013.png,columns\n")
    told = Told()
    run = labelprop.propagate(
        folder,
        folder / "labels.csv",
        out=tmp_path / "run",
        reporter=told,
        method="diffusion",
        parameters={"n_neighbors": 5},
    )
    assert "labels.csv" not in json.loads((run.path / "run.json").read_text())["skipped"]
    assert not any("labels.csv" in line for line in told.lines)
    assert "skipped (3 cannot be read)" in labelprop.doctor(folder, folder / "labels.csv")[-1].text


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_data_whose_names_are_not_utf8(tmp_path: Path, kind: str) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write_patterns(folder)
    data, shown = folder, f"{tmp_path}/caf\\xe9"
    if kind == "table":
        data, shown = folder / "t.parquet", f"{shown}/t.parquet"
        X = np.random.default_rng(0).normal(size=(20, 3)).tolist()
        write_parquet(data, pa.table({"embedding": X, "label": ["a", "b", *[""] * 18]}))
    run = labelprop.propagate(
        data,
        out=tmp_path / "run",
        method="diffusion",
        parameters={"n_neighbors": 5},
        command=f"labelprop propagate {data}",
    )
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    assert record["request"]["data"] == shown
    assert "caf\\xe9" in record["command"]
    assert run.write_report().read_text(encoding="utf-8").rstrip().endswith("</html>")


def test_an_out_that_is_not_utf8_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"r\\xfcn.* is not UTF-8"):
        labelprop.propagate(made.folder, out=Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xfcn")))


@pytest.mark.slow
def test_a_path_that_is_not_utf8_is_printed_as_it_was_given() -> None:
    command = [sys.executable, "-c", "from labelprop.cli.main import main; main()", "doctor", b"/no/caf\xe9"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert b"no file or folder '/no/caf\xe9'" in done.stderr
