"""Every recipe, stopped after its first epoch and at the end of a phase, ends as one that was not stopped."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import labelprop
from labelprop.core import registry
from labelprop.training.checkpoint import Checkpoints
from served import examples_for, start_for

SMALL = {"batch_size": 12, "labeled_batch_size": 6, "dim": 8, "n_neighbors": 5, "threshold": 0.4}


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    classes = np.arange(90) % 3
    vectors = (2 * np.eye(6)[classes] + generator.normal(size=(90, 6))).astype(np.float32)
    return vectors, np.where(np.arange(90) < 12, classes, -1)


def train_on(data, out, recipe: str, **options):
    known = registry.parameters("recipes", recipe)
    settings = {name: value for name, value in SMALL.items() if name in known}
    vectors, y = data
    fixed = {"epochs": 2, "baselines": False, "report": False, "settings": settings}
    return labelprop.train(examples_for(recipe, vectors), y, out=out, recipe=recipe, **fixed, **options)


RECIPES = [(recipe, "auto") for recipe in sorted(registry.entries("recipes"))]


@pytest.mark.parametrize(("recipe", "augment"), [*RECIPES, ("mt+dlp", "mix")])
def test_resumed_equals_unbroken(data, recipe: str, augment: str, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = start_for(recipe, *data, tmp_path)
    train = partial(train_on, augment=augment, **start)
    unbroken, numbers, save = train(data, tmp_path / "unbroken", recipe), [], Checkpoints.save

    def stop_at(wanted: int):
        def stopping(self, number, tensors, state) -> None:
            save(self, number, tensors, state)
            numbers.append((number, state["phase"]))
            if number == wanted:
                raise KeyboardInterrupt

        return stopping

    for place in ("first epoch", "end of the first phase"):
        stop = 1 if place == "first epoch" else max(number for number, phase in numbers if phase == 0)
        out = tmp_path / place
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", stop_at(stop))
            with pytest.raises(KeyboardInterrupt):
                train(data, out, recipe)
            patch.setattr(Checkpoints, "save", stop_at(-1))
            resumed = train(data, out, recipe, resume=True)
        assert resumed.labels.equals(unbroken.labels)
        for name in ("model.safetensors", "history.jsonl"):
            assert content(resumed.path / name) == content(unbroken.path / name), name


def content(path):
    """Bytes of a file; of the history all but the times."""
    if path.suffix != ".jsonl":
        return path.read_bytes()
    import json

    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]
