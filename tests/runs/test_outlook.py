"""A long training is said before it begins, with what makes it shorter."""

from __future__ import annotations

import numpy as np
import pytest

import labelprop
from labelprop.core.progress import Silent
from labelprop.runs import outlook

GRAY = np.random.default_rng(0).integers(256, size=(12, 80, 80), dtype=np.uint8)
LABELS = np.where(np.arange(12) < 8, np.arange(12) % 2, -1)


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize(
    ("data", "options", "remedies"),
    [
        (GRAY, {}, ["--backbone photos", "--image-size 64", "--model small_cnn", "--budget"]),
        (GRAY, {"image_size": 16}, ["--backbone photos", "--budget"]),
        (GRAY.reshape(12, -1)[:, :5].astype(np.float32), {}, ["--budget", "--epochs"]),
    ],
)
def test_what_helps_is_said_before_the_first_step(data, options, remedies, tmp_path, monkeypatch) -> None:
    said = Said()
    monkeypatch.setattr(outlook, "foreseen", lambda jobs, trials: said.say("foreseen") or 7_260.0)
    training = {"recipe": "supervised", "steps": 1, "baselines": False, "model": "mlp(dropout=0)"} | options
    if data is GRAY and not options:
        training["model"] = "preact_resnet18(width=1)"
    labelprop.train(data, labels=LABELS, out=tmp_path / "a", reporter=said, **training)
    (place,) = [number for number, line in enumerate(said.lines) if "2 h 01 min" in line]
    told = said.lines[place]
    assert told.startswith("warning: ")
    assert [flag for flag in ("--backbone photos", "--image-size 64", "--model small_cnn") if flag in told] == [
        flag for flag in remedies if flag.split()[0] in ("--backbone", "--image-size", "--model")
    ]
    assert all(flag in told for flag in remedies)


def test_of_a_short_training_nothing_is_said(tmp_path) -> None:
    said = Said()
    vectors = GRAY.reshape(12, -1)[:, :5].astype(np.float32)
    training = {"recipe": "supervised", "steps": 1, "baselines": False, "reporter": said}
    labelprop.train(vectors, labels=LABELS, out=tmp_path / "a", **training)
    assert not [line for line in said.lines if line.startswith("warning: this training")]
