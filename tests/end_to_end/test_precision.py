"""`--precision`: what the network's passes compute in, what is recorded, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from labelprop.models.network import Network
from labelprop.training.job import resolve_precision

CPU = torch.device("cpu")


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    classes = np.arange(90) % 3
    vectors = 3 * np.eye(6)[classes] + np.random.default_rng(0).normal(size=(90, 6))
    return vectors.astype(np.float32), np.where(np.arange(90) < 12, classes, -1)


def train(data, out, *, settings=None, **options):
    batch = {"batch_size": 12} | (settings or {})
    return labelprop.train(*data, out=out, epochs=1, baselines=False, settings=batch, **options)


def first_loss(run) -> float:
    return float(labelprop.core.run_folder.RunFolder(run.path).history()[0]["loss"])


def test_bf16_rounds_and_learns_the_same(data, tmp_path) -> None:
    options = {
        "recipe": "mt+dlp",
        "model": "mlp(dropout=0)",
        "settings": {"labeled_batch_size": 6, "n_neighbors": 5},
    }
    exact = train(data, tmp_path / "float32", **options)
    rounded = train(data, tmp_path / "bf16", **options, precision="bf16")
    assert first_loss(rounded) == pytest.approx(first_loss(exact), rel=0.02)
    assert first_loss(rounded) != first_loss(exact)
    same = exact.labels["label"].to_numpy() == rounded.labels["label"].to_numpy()
    assert same.mean() > 0.9
    weights = load_file(rounded.path / "model.safetensors")
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float32}


@pytest.mark.parametrize("recipe", ["mean-teacher", "fixmatch", "dct"])
def test_all_networks_of_a_method_pass_in_the_same_precision(data, tmp_path, recipe, monkeypatch) -> None:
    """In training: the first network and a teacher, an average or a second network. Not the ways of an attack."""
    seen = []
    forward = Network.forward

    def noted(self, x):
        if self.training:
            seen.append(torch.is_autocast_enabled("cpu"))
        return forward(self, x)

    monkeypatch.setattr(Network, "forward", noted)
    train(data, tmp_path / "run", recipe=recipe, precision="bf16", settings={"labeled_batch_size": 6})
    attacks = seen.count(False)
    assert seen.count(True) > 0
    assert attacks == 0 or recipe == "dct"
    if recipe == "dct":
        assert seen.count(True) == attacks, "two looks at the batch, and one of each network at misleading examples"


def test_a_cpu_computes_in_float32_unless_asked(data, tmp_path) -> None:
    run = train(data, tmp_path / "run", recipe="supervised")
    assert json.loads((run.path / "run.json").read_text())["precision"] == "float32"
    assert resolve_precision("auto", CPU) == "float32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_a_run_is_not_continued_in_another_precision(data, tmp_path) -> None:
    train(data, tmp_path / "run", recipe="supervised", precision="bf16")
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"finished"', '"running"'))  # as if it had been interrupted
    with pytest.raises(RequestError, match="precision was 'bf16' and is 'float32'"):
        train(data, tmp_path / "run", recipe="supervised", precision="float32", resume=True)
    train(data, tmp_path / "run", recipe="supervised", resume=True)  # as it was, where nothing else is said


def test_unknown_precision_is_refused(tmp_path) -> None:
    data = tmp_path / "x.npy"
    np.save(data, np.eye(4, dtype=np.float32))
    told = CliRunner().invoke(app, ["train", str(data), "--out", str(tmp_path / "o"), "--precision", "bfloat16"])
    assert told.exit_code == 2
    assert "unknown --precision 'bfloat16'" in told.output
    assert "auto, bf16, float32" in told.output
