"""A linear readout on the frozen network of another run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import labelprop
from labelprop.core.errors import RequestError
from labelprop.training import recipes
from patterns import write_patterns

SETTINGS = {"batch_size": 12, "labeled_batch_size": 6, "dim": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("readout")
    write_patterns(base / "patterns")
    run = labelprop.train(
        base / "patterns", out=base / "llp", report=False, recipe="llp", epochs=1, settings=SETTINGS
    )
    return base, run


def test_only_the_head_learns(trained, tmp_path) -> None:
    _, run = trained
    write_patterns(tmp_path / "others", seed=3)
    found = labelprop.train(
        tmp_path / "others", out=tmp_path / "readout", report=False, recipe="linear-readout", init=run.path, epochs=2
    )
    before, after = (load_file(path / "model.safetensors") for path in (run.path, found.path))
    trunk = [name for name in before if name.startswith("trunk.")]
    assert trunk
    assert all(torch.equal(before[name], after[name]) for name in trunk), "statistics of batch norm included"
    assert "heads.class.weight" in after
    assert "heads.embedding.weight" not in after
    assert np.isfinite(found.labels.column("certainty").to_numpy()).all()


def test_a_readout_of_a_fully_labeled_set_is_a_readout(trained, tmp_path) -> None:
    _, run = trained
    images = np.random.default_rng(0).integers(0, 256, size=(24, 16, 16, 3), dtype=np.uint8)
    shape = json.loads((run.path / "model.json").read_text())["preprocessing"]["shape"]
    data = images[:, : shape[1], : shape[2]] if shape[0] == 3 else images[:, : shape[1], : shape[2], 0]
    found = labelprop.train(
        data,
        np.arange(24) % 3,
        out=tmp_path / "readout",
        report=False,
        recipe="linear-readout",
        init=run.path,
        epochs=2,
    )
    assert found.metrics["recipe"] == "linear-readout"
    before, after = (load_file(path / "model.safetensors") for path in (run.path, found.path))
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("trunk."))


def test_a_run_can_be_gone_on_from_with_any_recipe(trained, tmp_path) -> None:
    base, run = trained
    options = {"recipe": "supervised", "init": run.path, "epochs": 1, "settings": {"batch_size": 12}}
    found = labelprop.train(base / "patterns", out=tmp_path / "run", report=False, **options)
    before, after = (load_file(path / "model.safetensors") for path in (run.path, found.path))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("trunk."))


def test_a_recipe_made_in_python_trains_on_crops_and_its_center_is_what_is_seen_ever_after(trained, tmp_path) -> None:
    base, _ = trained
    ready = recipes.build("supervised", {"batch_size": 6})
    options = {"model": "small_cnn", "augment": "crop+color+flip", "image_size": 16, "epochs": 2}
    run = labelprop.train(base / "patterns", out=tmp_path / "crops", report=False, recipe=ready, **options)
    described = json.loads((run.path / "model.json").read_text())
    assert described["architecture"]["input_shape"][1:] == [14, 14]
    assert described["preprocessing"]["seen"] == [14, 14]
    again = run.predict(base / "patterns", proba=True)
    own = {row["id"]: row for row in run.labels.to_pylist() if row["source"] == "predicted"}
    for row in again.to_pylist():
        if row["id"] in own:
            assert own[row["id"]]["label"] == row["label"]
            assert own[row["id"]]["certainty"] == pytest.approx(row["certainty"], abs=1e-5)
    options = {"recipe": "linear-readout", "init": run.path, "epochs": 1, "augment": "none"}
    readout = labelprop.train(base / "patterns", out=tmp_path / "readout", report=False, image_size=16, **options)
    assert json.loads((readout.path / "model.json").read_text())["preprocessing"]["seen"] == [14, 14]
    with pytest.raises(RequestError, match="given ready made"):
        labelprop.train(base / "patterns", out=tmp_path / "no", report=False, recipe=ready, settings={"lr": 0.1})


def test_what_cannot_be_gone_on_from_is_refused(trained, tmp_path) -> None:
    base, run = trained
    for options, said in (
        ({"recipe": "linear-readout"}, "name its run with init="),
        ({"init": tmp_path / "nothing"}, "holds no model"),
        ({"init": run.path, "model": "mlp"}, "model='mlp' excludes init= and tune="),
    ):
        with pytest.raises(RequestError, match=said):
            labelprop.train(base / "patterns", out=tmp_path / "run", report=False, epochs=1, **options)
    vectors = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    y = np.where(np.arange(40) < 8, np.arange(40) % 2, -1)
    with pytest.raises(RequestError, match="takes images"):
        labelprop.train(vectors, y, out=tmp_path / "run", report=False, init=run.path, epochs=1)
    images = np.random.default_rng(0).integers(0, 256, (40, 7, 7), dtype=np.uint8)
    with pytest.raises(RequestError, match="takes examples of shape"):
        labelprop.train(images, y, out=tmp_path / "run", report=False, init=run.path, epochs=1)
