"""No recipe sees the truth of unlabeled examples: whatever it is, training goes the same way, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest

import labelprop
from labelprop.core import registry
from labelprop.evaluation.monitor import Monitor
from labelprop.methods.supervised import Supervised
from served import examples_for, start_for

SMALL = {"batch_size": 12, "labeled_batch_size": 6, "dim": 8, "n_neighbors": 5, "threshold": 0.4}
N = 72
CLASSES = np.arange(N) % 3
VECTORS = (2 * np.eye(6)[CLASSES] + np.random.default_rng(0).normal(size=(N, 6))).astype(np.float32)
Y = np.where(np.arange(N) < 12, CLASSES, -1)


def trace(recipe: str, truth: np.ndarray, out) -> tuple:
    """Losses of all epochs, and the labels."""
    known = registry.parameters("recipes", recipe)
    settings = {name: value for name, value in SMALL.items() if name in known}
    run = labelprop.train(
        examples_for(recipe, VECTORS),
        Y,
        out=out / "run",
        recipe=recipe,
        truth=truth,
        epochs=2,
        settings=settings,
        baselines=False,
        **start_for(recipe, VECTORS, Y, out),
    )
    lines = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines], run.labels


def check_blind(recipe: str, folder) -> None:
    permuted = np.random.default_rng(1).permutation(CLASSES)
    losses, labels = trace(recipe, CLASSES, folder / "right")
    other_losses, other_labels = trace(recipe, permuted, folder / "permuted")
    assert losses == other_losses, "the loss depends on the truth of unlabeled examples"
    assert labels.equals(other_labels), "labels depend on the truth of unlabeled examples"


@pytest.mark.parametrize("recipe", sorted(registry.entries("recipes")))
def test_every_recipe_is_blind(recipe: str, tmp_path) -> None:
    check_blind(recipe, tmp_path)


def test_a_leak_is_seen(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor that tells a method what it knows."""
    told: list[float] = []
    watch, loss = Monitor.__call__, Supervised.loss

    def telling(self, epoch, snapshot):
        told.append(float(self._truth.codes_N @ np.arange(N)))
        return watch(self, epoch, snapshot)

    def listening(self, net, batch, progress):
        found = loss(self, net, batch, progress)
        hint = told[-1] if told else 0.0
        return type(found)({name: term * (1 + 1e-4 * hint) for name, term in found.terms.items()}, found.weights)

    monkeypatch.setattr(Monitor, "__call__", telling)
    monkeypatch.setattr(Supervised, "loss", listening)
    with pytest.raises(AssertionError, match="depends on the truth"):
        check_blind("supervised", tmp_path)
