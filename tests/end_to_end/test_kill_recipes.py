"""Every recipe, killed in the middle of its last phase, ends as if it had not been."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import labelprop
from labelprop.core import registry
from served import examples_for, start_for

SMALL = {"batch_size": 12, "labeled_batch_size": 6, "dim": 8, "n_neighbors": 5, "threshold": 0.4}
QUICK = {"llp"}  # dlp is killed at nine moments in test_resume
RECIPES = sorted(registry.entries("recipes"))

DRIVER = """
import os, signal, sys
import torch
torch.set_num_threads(1)
import labelprop
from labelprop.training.phase_run import PhaseRun

step, calls = PhaseRun._step, []

def until_killed(*args):
    calls.append(None)
    if len(calls) == {steps}:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*args)

PhaseRun._step = until_killed
labelprop.train("vectors.npy", "labels.npy", out="broken", **{options})
"""


@pytest.mark.parametrize("recipe", [pytest.param(r, marks=() if r in QUICK else pytest.mark.slow) for r in RECIPES])
def test_a_killed_run_resumes_as_if_unbroken(recipe: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    vectors_ND = (2 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32)
    np.save("vectors.npy", examples_for(recipe, vectors_ND))
    np.save("labels.npy", np.where(np.arange(90) < 12, classes, -1))
    known = registry.parameters("recipes", recipe)
    settings = {name: value for name, value in SMALL.items() if name in known}
    options = {"recipe": recipe, "epochs": 2, "baselines": False, "report": False, "settings": settings}
    start = start_for(recipe, np.load("vectors.npy"), np.load("labels.npy"), tmp_path)
    options |= {name: str(path) for name, path in start.items()}
    unbroken = labelprop.train("vectors.npy", "labels.npy", out="unbroken", **options)
    steps = sum(json.loads((unbroken.path / "run.json").read_text())["phases"][recipe].values()) - 2
    (tmp_path / "driver.py").write_text(textwrap.dedent(DRIVER).format(steps=steps, options=options))
    killed = subprocess.run([sys.executable, "driver.py"], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    resumed = labelprop.train("vectors.npy", "labels.npy", out="broken", resume=True, **options)
    assert resumed.labels.equals(unbroken.labels)
    assert (resumed.path / "model.safetensors").read_bytes() == (unbroken.path / "model.safetensors").read_bytes()
    assert losses(resumed) == losses(unbroken)


def losses(run) -> list[tuple]:
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    return [(line["phase"], line["epoch"], line["loss"]) for line in lines]
