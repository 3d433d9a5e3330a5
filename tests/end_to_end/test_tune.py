"""`--backbone NAME --tune lora|full`: a pretrained image model learns and is saved whole."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core import registry
from labelprop.core.errors import LabelpropError, RequestError
from labelprop.core.run_folder import RunFolder
from labelprop.models.trunks.pretrained import load_pretrained
from tiny_models import save_tiny_vit

pytest.importorskip("transformers")
SETTINGS = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    """48 gray images of 8 pixels in 3 classes, 12 of them labeled."""
    classes = np.arange(48) % 3
    pixels = np.random.default_rng(0).integers(0, 90, size=(48, 8, 8))
    for row, label in enumerate(classes):
        pixels[row, :, 3 * label : 3 * label + 2] += 150
    return pixels.astype(np.uint8), np.where(np.arange(48) < 12, classes, -1)


@pytest.fixture
def vit(tmp_path):
    return save_tiny_vit(tmp_path / "vit", image_size=8)


def train(images, vit, out, **options):
    given = {"recipe": "dlp", "settings": SETTINGS, "epochs": 1, "backbone": str(vit)} | options
    return labelprop.train(*images, out=out, report=False, **given)


@pytest.mark.parametrize("tune", ["lora", "full"])
def test_a_tuned_run_is_complete_in_itself(images, vit, tmp_path, tune) -> None:
    run = train(images, vit, tmp_path / "run", tune=tune)
    shutil.rmtree(vit)
    first = labelprop.load(run.path).predict(images[0])
    assert first.num_rows == 48
    expected = dict(zip(run.labels["id"].to_pylist(), run.labels["label"].to_pylist(), strict=True))
    hidden = [str(row) for row in range(12, 48)]
    found = dict(zip(first["id"].to_pylist(), first["label"].to_pylist(), strict=True))
    assert np.mean([found[row] == expected[row] for row in hidden]) > 0.9
    assert json.loads((run.path / "run.json").read_text())["tune"] == tune
    assert run.metrics["baseline"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("recipe", sorted(set(registry.entries("recipes")) - {"linear-readout"}))
def test_every_recipe_trains_adapters(images, vit, tmp_path, recipe) -> None:
    known = registry.parameters("recipes", recipe)
    settings = {name: value for name, value in SETTINGS.items() if name in known}
    run = train(images, vit, tmp_path / "run", recipe=recipe, settings=settings, tune="lora", baselines=False)
    before, after = load_pretrained(vit, "lora", seed=0).state_dict(), load_file(run.path / "model.safetensors")
    fixed = [name for name in before if ".lora_" not in name]
    own = [name for name in after if any(name.endswith(f"trunk.{known}") for known in fixed)]
    assert len(own) >= len(fixed)
    for name in own:
        torch.testing.assert_close(after[name], before[name.rpartition("trunk.")[2]], msg=name)
    assert labelprop.load(run.path).predict(images[0]).num_rows == 48


def test_another_run_goes_on_from_a_tuned_one(images, vit, tmp_path) -> None:
    run = train(images, vit, tmp_path / "run", tune="lora", baselines=False)
    following = labelprop.train(
        *images, out=tmp_path / "next", report=False, recipe="supervised", init=run.path, epochs=1, baselines=False
    )
    assert following.predict(images[0]).num_rows == 48


def test_a_resumed_run_equals_an_unbroken_one(images, vit, tmp_path, monkeypatch) -> None:
    options = {"tune": "lora", "baselines": False, "epochs": 3}
    unbroken = train(images, vit, tmp_path / "unbroken", **options)
    from labelprop.training.phase_run import PhaseRun

    done = []
    epoch = PhaseRun.epoch

    def broken(self, number):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(number)
        return epoch(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(PhaseRun, "epoch", broken)
        with pytest.raises((KeyboardInterrupt, LabelpropError)):
            train(images, vit, tmp_path / "broken", **options)
    resumed = train(images, vit, tmp_path / "broken", **options, resume=True)
    losses = [[line["loss"] for line in RunFolder(run.path).history()] for run in (unbroken, resumed)]
    assert losses[0] == losses[1]
    assert unbroken.labels.equals(resumed.labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": "loar"}, "unknown tune='loar'; did you mean 'lora'"),
        ({"tune": "full", "backbone": None}, "tune='full' needs images, and backbone="),
        ({"tune": "full", "init": "somewhere"}, "tune='full' and init= exclude each other"),
        ({"tune": "full", "model": "small_cnn"}, "model='small_cnn' excludes init= and tune="),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(images, vit, tmp_path, options, message) -> None:
    with pytest.raises(RequestError, match=message):
        train(images, vit, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_vectors_and_texts_cannot_be_tuned_on(vit, tmp_path) -> None:
    np.save(tmp_path / "x.npy", np.eye(6, dtype=np.float32))
    (tmp_path / "labels.csv").write_text("id,label\n0,a\n1,b\n")
    (tmp_path / "texts.csv").write_text("text,label\n" + "".join(f"word {n},{'ab'[n % 2]}\n" for n in range(8)))
    for data, more in (("x.npy", ["--labels", str(tmp_path / "labels.csv")]), ("texts.csv", [])):
        asked = ["train", str(tmp_path / data), *more, "--backbone", str(vit), "--tune", "lora"]
        told = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "run")])
        assert told.exit_code == 2, told.output
        assert "--tune lora trains an image model on images" in told.output
        assert not (tmp_path / "run").exists()
