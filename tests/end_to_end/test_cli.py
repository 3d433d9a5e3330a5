"""The commands as a user types them: exit status, stdout, stderr, and one test for each kind of bad input."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from labelprop.cli.main import app
from labelprop.core import registry
from patterns import write_patterns

TRAIN = ["--epochs", "1", "--no-baselines", "--set", "batch_size=12", "--set", "labeled_batch_size=6"]
TRAIN += ["--set", "n_neighbors=5"]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from labelprop.cli.main import main; main()", *map(str, arguments)]


def labelprop(*arguments: object) -> subprocess.CompletedProcess:
    """The command in this process, which has long imported what a new one takes seconds to import."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # as in a process of its own
        found = CliRunner().invoke(app, list(map(str, arguments)))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert "Traceback" not in found.stderr, found.stderr
    return subprocess.CompletedProcess(arguments, found.exit_code, found.stdout, found.stderr)


def in_a_process(*arguments: object, **options) -> subprocess.CompletedProcess:
    done = subprocess.run(command(*arguments), capture_output=True, text=True, check=False, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def refused(*arguments: object, said: str, status: int = 2, run: Callable = labelprop, **options) -> str:
    """Runs a command that must fail with `status`, saying `said` in one line on stderr."""
    done = run(*arguments, **options)
    assert done.returncode == status, done.stderr + done.stdout
    assert said in done.stderr, done.stderr
    return done.stderr


# -- what works ---------------------------------------------------------------------------------------------


def test_train_predict_report(patterns, tmp_path) -> None:
    folder, truth = patterns
    run = tmp_path / "my run"
    done = in_a_process("train", folder, "--truth", truth, "--out", run, *TRAIN)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"report: {run / 'report.html'}\n", "stdout carries the result alone"
    assert "augmentation: shift (" in done.stderr
    assert "model: small_cnn (" in done.stderr
    assert "accuracy on the 48 unlabeled images: dlp" in done.stderr
    verdict = json.loads((run / "metrics.json").read_text())["verdict"]
    assert done.stderr.splitlines()[-1].startswith(f"{verdict}: ")
    for name, started in (("predictions.parquet", in_a_process), ("predictions.csv", labelprop)):
        done = started("predict", run, folder, "--out", tmp_path / name, "--proba", "--quiet")
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
    table = pq.read_table(tmp_path / "predictions.parquet")
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == table.column("label").to_pylist()
    shares = [[float(row[name]) for name in ("columns", "disk", "rows")] for row in rows]
    np.testing.assert_allclose(shares, table.column("probabilities").to_pylist(), rtol=1e-6)
    before = (run / "report.html").read_bytes()
    assert labelprop("report", run).returncode == 0
    assert (run / "report.html").read_bytes() == before
    refused("predict", run, folder, "--out", tmp_path / "predictions.csv", said="exists already")
    refused("predict", run, folder, "--out", tmp_path / "p.xlsx", said="must end in .parquet or .csv")
    refused("predict", run, folder, "--out", tmp_path / "p.csv", "--device", "gpu", said="unknown --device 'gpu'")


def test_propagate_on_vectors_and_on_pixels(patterns, tmp_path) -> None:
    folder, truth = patterns
    done = labelprop(
        "propagate", folder, "--truth", truth, "--out", tmp_path / "a", "--method", "poisson", "--n-neighbors", 8
    )
    assert done.returncode == 0, done.stderr
    sources = set(pq.read_table(tmp_path / "a" / "labels.parquet").column("source").to_pylist())
    assert sources <= {"given", "propagated", "unreached"}
    generator = np.random.default_rng(0)
    classes = np.arange(60) % 2
    np.save(tmp_path / "X.npy", (4 * np.eye(4)[classes] + generator.normal(size=(60, 4))).astype(np.float32))
    np.save(tmp_path / "y.npy", np.where(np.arange(60) < 6, classes, -1))
    done = labelprop("propagate", tmp_path / "X.npy", "--labels", tmp_path / "y.npy", "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "b" / "run.json").read_text())["recipe"] == "auto", "where no method is named"
    labels = pq.read_table(tmp_path / "b" / "labels.parquet").column("label").to_pylist()
    assert np.mean([int(label) == c for label, c in zip(labels, classes, strict=True)]) > 0.9


def test_methods_lists_what_works_one_line_each() -> None:
    lines = labelprop("methods").stdout.splitlines()
    named = [line.split("  ")[0] for line in lines]
    assert {"diffusion (Diffusion)", "local (LocalPropagation)", "weighted-knn (WeightedKNN)"} <= set(named)
    recipes = [*registry.entries("recipes"), "auto"]
    assert recipes[:3] == ["supervised", "dlp", "network-prediction"]
    assert named[-len(recipes) :] == recipes, "recipes come after the propagators"
    assert all(" (" in name for name in named[: -len(recipes)])


def test_doctor_reports_and_exits_by_what_it_found(patterns, tmp_path) -> None:
    folder, _ = patterns
    assert labelprop("doctor", folder).returncode == 0
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label\nnowhere.png,disk\n")
    done = labelprop("doctor", folder, "--labels", labels)
    assert done.returncode == 2
    assert "blocking: " in done.stdout
    assert "nowhere.png" in done.stdout


def test_help_is_quick_to_import_and_names_only_what_is_built() -> None:
    done = labelprop("--help")
    assert done.returncode == 0
    verbs = {
        line.split()[0] for line in done.stdout.split("Commands:")[1].splitlines() if line.strip() and line[2] != " "
    }
    assert verbs == {
        "demo",
        "train",
        "propagate",
        "predict",
        "select",
        "embed",
        "doctor",
        "report",
        "methods",
        "bench",
    }
    assert labelprop("--version").stdout.startswith("labelprop 0.")


# -- bad input ----------------------------------------------------------------------------------------------


def test_no_labels_at_all(tmp_path) -> None:
    write_patterns(tmp_path / "none", labeled=0)
    refused("train", tmp_path / "none", "--out", tmp_path / "run", said="no labels")
    refused("propagate", tmp_path / "none", "--out", tmp_path / "run", said="no labels")
    refused("propagate", tmp_path / "none", "--out", tmp_path / "run", "--seed", "-1", said="--seed -1 must be")
    assert labelprop("doctor", tmp_path / "none").returncode in (0, 2)
    assert not (tmp_path / "run").exists()


def test_a_class_with_one_label_is_trained_with_a_warning(patterns, tmp_path) -> None:
    folder, _ = patterns
    for extra in sorted((folder / "disk").iterdir())[1:]:
        extra.rename(folder / "unlabeled" / f"moved-{extra.name}")
    done = labelprop("train", folder, "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert "disk" in done.stderr
    assert "one label" in done.stderr or "1 label" in done.stderr


LABEL_FILES = {
    "ids that do not exist": ("id,label\nunlabeled/nowhere.png,disk\n", "unlabeled/nowhere.png"),
    "two labels for one id": ("id,label\nunlabeled/020.png,disk\nunlabeled/020.png,rows\n", "unlabeled/020.png"),
    "disagreement with DATA": ("id,label\ndisk/002.png,rows\n", "disk/002.png"),
    "no label column": ("id,klass\nunlabeled/020.png,disk\n", "label"),
}


@pytest.mark.parametrize("case", LABEL_FILES)
def test_bad_label_files(patterns, tmp_path, case: str) -> None:
    folder, _ = patterns
    content, said = LABEL_FILES[case]
    (tmp_path / "labels.csv").write_text(content)
    refused("train", folder, "--labels", tmp_path / "labels.csv", "--out", tmp_path / "run", said=said)
    assert not (tmp_path / "run").exists()


def test_same_label_twice_is_accepted_with_a_warning(patterns, tmp_path) -> None:
    folder, _ = patterns
    (tmp_path / "labels.csv").write_text("id,label\nunlabeled/020.png,disk\nunlabeled/020.png,disk\n")
    done = labelprop("train", folder, "--labels", tmp_path / "labels.csv", "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert "unlabeled/020.png" in done.stderr


def test_labels_of_one_class_are_warned_of(patterns, tmp_path) -> None:
    folder, _ = patterns
    for name in ("rows", "columns"):
        for file in (folder / name).iterdir():
            file.rename(folder / "unlabeled" / f"{name}-{file.name}")
        (folder / name).rmdir()
    done = labelprop("train", folder, "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert "with one class there is nothing to tell apart" in done.stderr


def test_corrections_join_the_labels_that_were_given(patterns, tmp_path) -> None:
    folder, truth = patterns
    with truth.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    for name, part in (("first", rows[:5]), ("corrections", rows[5:8])):
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("id", "label"), *part])
    files = ["--labels", tmp_path / "first.csv", "--labels", tmp_path / "corrections.csv"]
    done = labelprop("train", folder, "--out", tmp_path / "run", *files, *TRAIN)
    assert done.returncode == 0, done.stderr
    assert "60 images, 20 labeled in 3 classes, 40 unlabeled" in done.stderr


def test_a_test_set_is_scored_and_its_unknown_classes_are_named(patterns, tmp_path) -> None:
    folder, _ = patterns
    test = tmp_path / "test"
    write_patterns(test, n=12, labeled=4, seed=1)
    (test / "disk").rename(test / "zebra")
    done = labelprop("train", folder, "--out", tmp_path / "run", "--test", test, *TRAIN)
    assert done.returncode == 0, done.stderr
    assert "classes that no label names (zebra)" in done.stderr
    assert "; on the 12 of the test set " in done.stderr
    np.save(tmp_path / "v.npy", np.zeros((3, 4), np.float32))
    refused(
        "predict", tmp_path / "run", tmp_path / "v.npy", "--out", tmp_path / "p.csv", said="the model takes images"
    )


def test_same_id_twice_in_data(tmp_path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"id": "a", "embedding": [1, 2], "label": "x"}\n{"id": "a", "embedding": [2, 1], "label": "y"}\n'
    )
    refused("train", tmp_path / "t.jsonl", "--out", tmp_path / "run", said="'a'")


def test_unreadable_images_are_skipped_listed_and_refused_with_strict(patterns, tmp_path) -> None:
    import json

    folder, _ = patterns
    whole = (folder / "unlabeled" / "020.png").read_bytes()
    (folder / "unlabeled" / "empty.png").write_bytes(b"")
    (folder / "unlabeled" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "unlabeled" / "text.png").write_text("not an image")
    done = labelprop("train", folder, "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("1 .png file cannot be read, skipped") == 3
    listed = json.loads((tmp_path / "run" / "run.json").read_text())["skipped"]
    assert {row["id"] for row in listed} == {f"unlabeled/{name}.png" for name in ("empty", "cut", "text")}
    assert all(row["reason"] for row in listed)
    refused("train", folder, "--out", tmp_path / "strict", "--strict", said="unlabeled/cut.png")


def test_images_of_mixed_sizes_and_modes(patterns, tmp_path) -> None:
    folder, _ = patterns
    for index, mode in enumerate(("L", "RGB", "RGBA", "P", "LA", "1", "I;16", "CMYK")):
        image = Image.new("L", (9 + index, 12)).convert(mode) if mode != "I;16" else Image.new("I;16", (20, 12))
        image.save(folder / "unlabeled" / f"mixed-{index}.{'tif' if mode == 'CMYK' else 'png'}")
    done = labelprop("train", folder, "--out", tmp_path / "run", "--image-size", 8, *TRAIN)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "run" / "labels.parquet").num_rows == 68
    done = labelprop("propagate", folder, "--out", tmp_path / "p")
    assert done.returncode == 2, "flattened pixels need one size"
    assert "--image-size" in done.stderr


def test_empty_folder_and_missing_path(tmp_path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    refused("train", tmp_path / "empty", "--out", tmp_path / "run", said="empty")
    refused("train", tmp_path / "nowhere", "--out", tmp_path / "run", said="nowhere")
    monkeypatch.chdir(tmp_path)
    refused("train", "empty/nowhere", "--out", tmp_path / "run", said="no file or folder")
    (tmp_path / "one.png").write_bytes(b"")
    refused("train", tmp_path / "one.png", "--out", tmp_path / "run", said="put it into a folder")


def test_names_with_spaces_quotes_html_and_bytes_that_are_not_utf8(patterns, tmp_path) -> None:
    folder, _ = patterns
    picture = (folder / "unlabeled" / "020.png").read_bytes()
    for name in (b"a b.png", b'it\'s "quoted".png', b"<script>alert(1)<.png", b"caf\xe9.png", b"new\nline.png"):
        Path(os.fsdecode(os.fsencode(folder / "unlabeled") + b"/" + name)).write_bytes(picture)
    done = labelprop("train", folder, "--out", tmp_path / "run", *TRAIN)
    assert done.returncode == 0, done.stderr
    ids = pq.read_table(tmp_path / "run" / "labels.parquet").column("id").to_pylist()
    assert "unlabeled/a b.png" in ids
    assert "unlabeled/caf\\xe9.png" in ids
    assert "<script>alert(1)<" not in (tmp_path / "run" / "report.html").read_text()


def test_nan_features_name_the_row(tmp_path) -> None:
    X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    X[7, 2] = np.nan
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.where(np.arange(30) < 6, np.arange(30) % 2, -1))
    for verb in ("train", "propagate"):
        refused(verb, tmp_path / "X.npy", "--labels", tmp_path / "y.npy", "--out", tmp_path / "run", said="row 7")


def test_a_run_folder_that_exists_is_not_touched(patterns, tmp_path) -> None:
    folder, _ = patterns
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    for flag in ([], ["--overwrite"], ["--resume"]):
        refused("train", folder, "--out", tmp_path / "run", *flag, said="not a labelprop run")
    assert (tmp_path / "run" / "mine.txt").read_text() == "mine"


def test_a_full_disk_ends_with_status_1_and_keeps_what_was_there(patterns, tmp_path) -> None:
    """RLIMIT_FSIZE: no file may grow beyond a few kilobytes, so the first checkpoint cannot be written."""
    import resource

    folder, _ = patterns
    warm = labelprop("train", folder, "--out", tmp_path / "warm", *TRAIN)  # fills the cache of decoded images
    assert warm.returncode == 0, warm.stderr

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    said = refused(
        "train",
        folder,
        "--out",
        tmp_path / "run",
        *TRAIN,
        said="cannot write",
        status=1,
        run=in_a_process,
        preexec_fn=small_files,
    )
    assert "File too large" in said
    assert "--resume" in said
    done = labelprop("train", folder, "--out", tmp_path / "run", *TRAIN, "--resume")
    assert done.returncode == 0, done.stderr


def test_ctrl_c_exits_130_and_the_same_command_resumes(patterns, tmp_path) -> None:
    folder, _ = patterns
    arguments = ["train", folder, "--out", tmp_path / "run", *TRAIN, "--epochs", "400"]
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # background jobs ignore it
    python, option, code, *rest = command(*arguments)
    process = subprocess.Popen([python, option, f"{heard}; {code}", *rest], stderr=subprocess.PIPE, text=True)
    try:
        waited = time.monotonic() + 60
        while not list((tmp_path / "run").glob("checkpoints/*/0*")) and time.monotonic() < waited:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "--resume" in said
    assert "Traceback" not in said
    assert list((tmp_path / "run").glob("checkpoints/*/0*"))


def test_debug_shows_the_traceback(tmp_path) -> None:
    done = subprocess.run(
        command("train", tmp_path / "nowhere", "--out", tmp_path / "run", "--debug"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "alpha"], "must have the form name=value"),
        (["--set", "alpha=high"], "--set alpha=high must be a number"),
        (["--set", "alhpa=0.5"], "did you mean 'alpha'"),
        (["--recipe", "dpl"], "did you mean 'dlp'"),
        (["--budget", "soon"], "is not a duration"),
        (["--set", "lr=-1"], "lr=-1 must be a number above 0"),
        (["--set", "batch_size=0"], "batch_size=0"),
        (["--model", "resnet99"], "did you mean 'resnet18'"),
        (["--augment", "flip"], "unknown --augment 'flip'"),
    ],
)
def test_wrong_parameters(patterns, tmp_path, arguments: list[str], said: str) -> None:
    refused("train", patterns[0], "--out", tmp_path / "run", *arguments, said=said)
    assert not (tmp_path / "run").exists(), "a refused request leaves nothing in the way of the next"


def test_methods_tells_of_one_recipe_or_propagator_what_its_settings_mean() -> None:
    found = labelprop("methods", "dmt").stdout
    assert "Deep Metric Transfer (Liu et al. 2018)" in found
    assert "--set NAME=VALUE" in found
    assert "  source = spectral-cut" in found
    assert "LabelsOnce: " in found
    assert "    n_neighbors : neighbors of each row" not in found, "indentation of the source is gone"
    found = labelprop("methods", "diffusion").stdout
    assert "n_neighbors : neighbors of each row; cut to n - 1." in found
    assert "  alpha = 0.99" in found
    refused("methods", "difusion", said="unknown propagator or recipe 'difusion'; did you mean 'diffusion'?")


@pytest.mark.parametrize("name", [*registry.entries("recipes"), *registry.entries("propagators"), "auto"])
def test_every_method_can_be_told_of(name: str) -> None:
    assert f"{name}  " in labelprop("methods", name).stdout.splitlines()[0]


def test_classes_that_got_nothing_are_named(tmp_path) -> None:
    """Two labels of a third class on rows of zeros: no other row is near them."""
    X = np.repeat(np.eye(3, dtype=np.float32), [30, 30, 2], axis=0)
    X[:60] += 0.01 * np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    rows = [*(f"{row},a" for row in range(3)), *(f"{row},b" for row in range(30, 33)), "60,c", "61,c"]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    for verb in ("propagate", "train"):
        asked = [verb, tmp_path / "x.npy", "--labels", tmp_path / "labels.csv", "--out", tmp_path / verb]
        done = labelprop(*asked, *(["--epochs", 30, "--no-baselines"] if verb == "train" else []))
        assert "1 of 3 classes got none of the unlabeled rows (c)" in done.stderr
        assert "in each of 3 classes, none in 1" in (tmp_path / verb / "report.html").read_text()


def test_a_reader_that_has_enough_is_no_error_to_speak_of() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "labelprop", "methods"]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert done.stderr == ""


def test_a_training_of_a_few_steps_says_so(patterns, tmp_path) -> None:
    folder, _ = patterns
    done = labelprop("train", folder, "--out", tmp_path / "run", "--steps", "3", "--recipe", "supervised")
    assert done.returncode == 0, done.stderr
    assert "supervised: a network learns little in so few steps; give more --epochs or --steps" in done.stderr
