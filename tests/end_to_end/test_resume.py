"""A run that was killed and continued equals one that was not, bit for bit."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import textwrap

import pytest

import labelprop
from labelprop.core.errors import RequestError
from patterns import write_patterns

SETTINGS = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}

DRIVER = """
import os, signal, sys
import torch
torch.set_num_threads(1)
import labelprop
from labelprop.core import run_folder
from labelprop.training import checkpoint, loop

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def on_call(module, name, number, when=lambda *args: True):
    original, calls = getattr(module, name), [0]
    def counted(*args, **kwargs):
        calls[0] += when(*args)
        if when(*args) and calls[0] == number:
            die()
        return original(*args, **kwargs)
    setattr(module, name, counted)

moment = sys.argv[3]
if moment == "in the baseline":
    on_call(loop.PhaseRun, "_step", 10)
elif moment == "in an epoch":
    on_call(loop.PhaseRun, "_step", {first_recipe_steps})
elif moment == "in the last epoch":
    on_call(loop.PhaseRun, "_step", {last_steps})
elif moment == "between history and checkpoint":
    on_call(checkpoint.Checkpoints, "save", 6)
elif moment == "in a checkpoint's rename":
    on_call(checkpoint.os, "replace", 5)
elif moment == "after a checkpoint's rename":
    on_call(checkpoint, "flush", 4 * 5)
elif moment == "while writing labels":
    on_call(run_folder.os, "replace", 1, lambda a, b: str(b).endswith("labels.parquet"))
elif moment == "while writing the model":
    on_call(run_folder.os, "replace", 1, lambda a, b: str(b).endswith("model.json"))
elif moment == "before the end":
    on_call(run_folder.os, "replace", 1, lambda a, b: str(b).endswith("report.html"))
labelprop.train(sys.argv[1], truth=sys.argv[4], out=sys.argv[2], epochs=3, settings={settings}, resume=True)
"""

MOMENTS = {
    "in the baseline",
    "in an epoch",
    "in the last epoch",
    "between history and checkpoint",
    "in a checkpoint's rename",
    "after a checkpoint's rename",
    "while writing labels",
    "while writing the model",
    "before the end",
}
QUICK = {"in an epoch", "in a checkpoint's rename", "while writing labels"}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    base = tmp_path_factory.mktemp("resume")
    truth = write_patterns(base / "patterns")
    run = labelprop.train(base / "patterns", truth=truth, out=base / "unbroken", epochs=3, settings=SETTINGS)
    return base, run


def steps_of(run) -> tuple[int, int]:
    """A step number inside the recipe's first epochs, and one inside its last epoch, counted from the start."""
    phases = json.loads((run.path / "run.json").read_text())["phases"]
    baseline, recipe = (sum(steps.values()) for steps in phases.values())
    return baseline + 30, baseline + recipe - 2


@pytest.mark.parametrize(
    "moment", [pytest.param(m, marks=() if m in QUICK else pytest.mark.slow) for m in sorted(MOMENTS)]
)
def test_kill_and_resume_equals_unbroken(unbroken, tmp_path, moment: str) -> None:
    base, run = unbroken
    first, last = steps_of(run)
    driver = tmp_path / "driver.py"
    text = textwrap.dedent(DRIVER).format(settings=SETTINGS, first_recipe_steps=first, last_steps=last)
    driver.write_text(text)
    out, truth = tmp_path / "run", base / "patterns-truth.csv"
    killed = subprocess.run(
        [sys.executable, driver, base / "patterns", out, moment, truth], capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert json.loads((out / "run.json").read_text())["status"] != "finished"
    resumed = labelprop.train(base / "patterns", truth=truth, out=out, epochs=3, settings=SETTINGS, resume=True)
    stages = json.loads((resumed.path / "run.json").read_text())["stages"]
    lines = [json.loads(line) for line in (resumed.path / "history.jsonl").read_text().splitlines()]
    for training in ("baseline", "dlp"):
        spent = sum(line["seconds"] for line in lines if line["training"] == training)
        assert 0.5 * spent < stages[f"{training}: steps"]["seconds"] < 1.5 * spent, "of both processes, once"
    looks = sorted(path.name for path in (run.path / "analyses").iterdir())
    assert looks == sorted(path.name for path in (resumed.path / "analyses").iterdir())
    assert len(looks) > 3
    for name in (
        *("labels.parquet", "pseudo_labels.parquet", "model.safetensors"),
        *(f"analyses/{look}" for look in looks),
    ):
        assert digest(resumed.path / name) == digest(run.path / name), name
    assert losses(resumed) == losses(run)


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def losses(run) -> list[tuple]:
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    return [(line["training"], line["phase"], line["epoch"], line["loss"]) for line in lines]


def test_resume_of_a_finished_run_changes_nothing(unbroken) -> None:
    base, run = unbroken
    before = {path.name: (path.stat().st_mtime_ns, digest(path)) for path in run.path.iterdir() if path.is_file()}
    labelprop.train(base / "patterns", out=run.path, epochs=3, settings=SETTINGS, resume=True)
    assert before == {
        path.name: (path.stat().st_mtime_ns, digest(path)) for path in run.path.iterdir() if path.is_file()
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"recipe": "llp", "settings": {}}, r"recipe was 'dlp' and is 'llp'\. Repeat"),
        ({"seed": 7}, "seed was 0 and is 7"),
        ({"recipe": "auto", "settings": {}}, "is a run of recipe dlp, not of auto"),
    ],
)
def test_a_finished_run_is_not_passed_off_as_another(unbroken, changed: dict, said: str) -> None:
    base, run = unbroken
    asked = {"epochs": 3, "settings": SETTINGS} | changed
    with pytest.raises(RequestError, match=said):
        labelprop.train(base / "patterns", out=run.path, resume=True, **asked)
    write_patterns(base / "others", seed=5)
    with pytest.raises(RequestError, match="the examples are not the same"):
        labelprop.train(base / "others", out=run.path, epochs=3, settings=SETTINGS, resume=True)


@pytest.fixture
def interrupted(unbroken, tmp_path, monkeypatch):
    """A run stopped by Ctrl-C in its first epochs."""
    from labelprop.training.checkpoint import Checkpoints

    base, _ = unbroken
    save = Checkpoints.save

    def stop_after(self, number, tensors, state) -> None:
        save(self, number, tensors, state)
        if number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", stop_after)
        with pytest.raises(KeyboardInterrupt):
            labelprop.train(base / "patterns", out=tmp_path / "run", epochs=3, settings=SETTINGS)
    return base / "patterns", tmp_path / "run"


def test_ctrl_c_saves_and_resumes(unbroken, interrupted) -> None:
    folder, out = interrupted
    resumed = labelprop.train(folder, out=out, epochs=3, settings=SETTINGS, resume=True)
    assert resumed.labels.equals(unbroken[1].labels)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"epochs": 4}, "epochs was 3 and is 4"),
        ({"recipe": "network-prediction", "settings": {}}, "recipe was 'dlp' and is 'network-prediction'"),
        ({"augment": "none"}, "augment was 'shift' and is 'none'"),
    ],
)
def test_resume_of_another_run_is_refused_and_says_what_differs(interrupted, changed: dict, said: str) -> None:
    folder, out = interrupted
    with pytest.raises(RequestError, match=said):
        labelprop.train(folder, out=out, resume=True, **({"epochs": 3, "settings": SETTINGS} | changed))


def test_a_resumed_run_keeps_the_command_that_says_all(interrupted) -> None:
    folder, out = interrupted
    record = json.loads((out / "run.json").read_text())
    (out / "run.json").write_text(json.dumps(record | {"command": "labelprop train x --labels y"}))
    labelprop.train(folder, out=out, resume=True, command="labelprop train x --resume")
    assert json.loads((out / "run.json").read_text())["command"] == "labelprop train x --labels y"


def test_resume_with_other_data_is_refused(interrupted) -> None:
    _folder, out = interrupted
    other = out.parent / "patterns"
    write_patterns(other, seed=5)
    with pytest.raises(RequestError, match=r"this is another run: the examples are not the same\. Repeat"):
        labelprop.train(other, out=out, epochs=3, settings=SETTINGS, resume=True)


def test_resume_of_nothing_starts_and_of_a_foreign_folder_is_refused(unbroken, tmp_path) -> None:
    base, _ = unbroken
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(RequestError, match="is not a labelprop run"):
            labelprop.train(base / "patterns", out=foreign, **options)
    assert (foreign / "thesis.txt").read_text() == "mine"


def test_overwrite_replaces_a_run(unbroken, tmp_path) -> None:
    base, _ = unbroken
    options = {"out": tmp_path / "run", "epochs": 1, "settings": SETTINGS, "baselines": False}
    first = labelprop.train(base / "patterns", **options, seed=0).labels
    second = labelprop.train(base / "patterns", **options, seed=1, overwrite=True).labels
    assert not first.equals(second)


def test_a_run_that_began_with_other_defaults_says_that_it_cannot_resume(interrupted) -> None:
    """As runs of LLP from version 0.1.0, which had another first phase: nor does --force help."""
    data, folder = interrupted
    kept = json.loads((folder / "run.json").read_text())
    former = {name: value for name, value in kept["settings"].items() if name != "alpha"}
    (folder / "run.json").write_text(json.dumps(kept | {"settings": former | {"power": 5}}))
    resume = {"out": folder, "epochs": 3, "settings": SETTINGS, "resume": True}
    with pytest.raises(
        RequestError, match=r"dlp has other defaults since .* alpha was None and is 0.99.*the version"
    ):
        labelprop.train(data, **resume)
    phases = kept["phases"] | {"dlp": {"ir": 100, "dlp": 100}}
    (folder / "run.json").write_text(json.dumps(kept | {"phases": phases}))
    with pytest.raises(RequestError, match="dlp began with the phases ir, dlp and would go on with supervised, dlp"):
        labelprop.train(data, force=True, **resume)
