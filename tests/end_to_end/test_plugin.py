"""A method of somebody else's package: an entry point is all it takes."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

PACKAGE = '''
import torch
from torch.nn import functional as F

from labelprop.methods.base import LossTerms, Method
from labelprop.registry_entry import Entry
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.types import BatchSpec, StreamSpec


class Smoothed(Method):
    """Cross-entropy with smoothed labels."""

    def __init__(self, *, batch_size=12, smoothing=0.1):
        super().__init__()
        self.needs, self.smoothing = BatchSpec(StreamSpec(batch_size)), smoothing

    def loss(self, net, batch, progress):
        logits_BC = net(batch.labeled.views_V[0])["class"]
        term = F.cross_entropy(logits_BC, batch.labels_B, label_smoothing=self.smoothing)
        return LossTerms({"smoothed": term}, {"smoothed": 1.0})


def smoothed(*, batch_size=12, smoothing=0.1):
    """A recipe of one phase."""
    settings = dict(locals())
    phase = Phase(name="smoothed", method=lambda: Smoothed(**settings), optimizer=Sgd(lr=0.05))
    return Recipe(name="smoothed", phases=(phase,), settings=settings)


entry = Entry("toy_labels:smoothed", "Labels, smoothed.", {"batch_size": 12, "smoothing": 0.1})
'''


def test_a_recipe_of_another_package_is_listed_checked_and_trained(tmp_path) -> None:
    (tmp_path / "toy_labels.py").write_text(PACKAGE)
    described = tmp_path / "toy_labels-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-labels\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[labelprop.recipes]\nsmoothed = toy_labels:entry\n")
    generator, classes = np.random.default_rng(0), np.arange(90) % 3
    np.save(tmp_path / "vectors.npy", (3 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32))
    np.save(tmp_path / "labels.npy", np.where(np.arange(90) < 15, classes, -1))
    np.save(tmp_path / "truth.npy", classes)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from labelprop.cli import main; main()", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert "smoothed  Labels, smoothed." in run("methods").stdout.splitlines()
    asked = ("train", "vectors.npy", "--labels", "labels.npy", "--truth", "truth.npy", "--epochs", "5")
    done = run(*asked, "--recipe", "smoothed", "--set", "smoothing=0.2", "--out", "run")
    assert done.returncode == 0, done.stderr
    assert "smoothed 9" in done.stderr or "smoothed 8" in done.stderr, "its accuracy is told"
    misspelled = run(*asked, "--recipe", "smothed", "--out", "other")
    assert misspelled.returncode == 2
    assert "did you mean 'smoothed'?" in misspelled.stderr
    wrong = run(*asked, "--recipe", "smoothed", "--set", "smooth=1", "--out", "other")
    assert wrong.returncode == 2
    assert "did you mean 'smoothing'?" in wrong.stderr
    check = "import toy_labels, labelprop.testing as t; t.check_method(toy_labels.Smoothed)"
    checked = subprocess.run(
        [sys.executable, "-c", check],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
