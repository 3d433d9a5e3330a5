"""A module from Python as the network: trained, resumed, loaded with its class, refused without it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from patterns import write_patterns

SMALL = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5}


class Net(nn.Module):
    """Vectors of 6 dimensions to features, through weights that are used twice."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.first = nn.Linear(6, width)
        self.second = nn.Linear(width, width)
        self.again = self.second

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.again(self.second(self.first(x).relu()).relu())


class Maps(nn.Module):
    """Images to maps, which are averaged; its weights are made with the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyConv2d(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x).relu()


def vectors(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes_N = np.arange(n) % 3
    return (3 * np.eye(6)[classes_N] + rng.normal(size=(n, 6))).astype(np.float32), np.where(
        np.arange(n) < 30, classes_N, -1
    )


X, Y = vectors()


def train(out: Path, model: Any, **options: Any) -> labelprop.Run:
    options = {"steps": 20, "settings": SMALL, "recipe": "dlp", "quiet": True} | options
    return labelprop.train(X, Y, out=out, report=False, model=model, **options)


class StopError(Exception):
    """As a user's own error."""


class StopAfterTheBaseline:
    def on_epoch(self, record: dict[str, Any]) -> None:
        assert record["training"] == "baseline"
        raise StopError


def test_it_is_trained_kept_without_its_code_and_loaded_with_its_class(tmp_path: Path) -> None:
    torch.manual_seed(3)
    own = Net()
    before = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    run = train(tmp_path / "run", own, baselines=False)
    assert all(torch.equal(before[name], tensor) for name, tensor in own.state_dict().items()), "a copy is trained"
    found = run.predict(X, quiet=True)
    accuracy = np.mean([int(text) for text in found["label"].to_pylist()] == np.arange(len(X)) % 3)
    assert accuracy > 0.8
    architecture = json.loads((run.path / "model.json").read_text())["architecture"]
    assert (architecture["name"], architecture["options"]["class"]) == ("module", "Net")
    for model in (Net, Net(), partial(Net, width=6)):
        assert labelprop.load(run.path, model=model).predict(X, quiet=True) == found
    assert labelprop.predict(run.path, X, model=Net, quiet=True) == found
    assert run.embed(X, quiet=True).shape == (300, 6)
    assert not [path for path in run.path.rglob("*") if path.suffix in (".pt", ".pkl", ".pth", ".py")]


def test_what_requires_no_gradient_stays_as_it_came(tmp_path: Path) -> None:
    own = Net()
    own.first.requires_grad_(False)
    run = train(tmp_path / "run", own, baselines=False, steps=2)
    before, after = own.state_dict(), run.model.network.trunk.module.state_dict()
    learned = {name for name in before if not torch.equal(before[name], after[name])}
    assert learned == {"second.weight", "second.bias", "again.weight", "again.bias"}


def test_a_folder_alone_is_refused_with_the_advice(tmp_path: Path) -> None:
    run = train(tmp_path / "run", Net(), baselines=False, recipe="supervised", settings={}, steps=2)
    for use in (
        lambda: labelprop.load(run.path),
        lambda: labelprop.predict(run.path, X, quiet=True),
        lambda: labelprop.embed(X, backbone=run.path, quiet=True),
    ):
        with pytest.raises(RequestError, match=r"labelprop.load\('.*run', model=Net\)"):
            use()
    np.save(tmp_path / "X.npy", X)
    asked = ["predict", str(run.path), str(tmp_path / "X.npy"), "--out", str(tmp_path / "found.csv")]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 2
    assert "model=Net" in done.stderr
    with pytest.raises(RequestError, match="other names or shapes"):
        labelprop.load(run.path, model=Net(width=7))
    by_name = labelprop.train(
        X, Y, out=tmp_path / "mlp", report=False, recipe="supervised", steps=2, baselines=False, quiet=True
    )
    with pytest.raises(RequestError, match="leave model= out"):
        labelprop.load(by_name.path, model=Net)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Linear(5, 3), "fails on 2 examples of shape"),
        (nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2))), "one feature vector an example"),
        (nn.Linear, "cannot be made without arguments"),
        (dict, "it must give a torch.nn.Module"),
        (nn.LSTM(6, 3), "must return a tensor"),
    ],
)
def test_what_cannot_be_a_network_is_refused_before_the_folder_exists(model: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=said):
        train(tmp_path / "run", model)
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_goes_on_from_the_weights_that_the_first_module_had(tmp_path: Path) -> None:
    torch.manual_seed(0)
    first = Net()
    unbroken = train(tmp_path / "unbroken", first)
    with pytest.raises(StopError):
        train(tmp_path / "broken", first, callbacks=StopAfterTheBaseline())
    with pytest.raises(RequestError, match="pass model= again"):
        labelprop.train(X, Y, out=tmp_path / "broken", report=False, resume=True, quiet=True)
    with pytest.raises(RequestError, match="cannot resume"):
        train(tmp_path / "broken", Net(width=7), resume=True)
    resumed = train(tmp_path / "broken", Net(), resume=True)
    assert resumed.labels == unbroken.labels
    weights, others = resumed.model.state_dict(), unbroken.model.state_dict()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_images_and_weights_that_are_made_by_the_first_batch(tmp_path: Path) -> None:
    write_patterns(tmp_path / "patterns")
    options: dict[str, Any] = {"recipe": "supervised", "steps": 2, "baselines": False, "quiet": True}
    run = labelprop.train(tmp_path / "patterns", out=tmp_path / "run", report=False, model=Maps, **options)
    again = labelprop.load(run.path, model=Maps)
    assert again.predict(tmp_path / "patterns", quiet=True) == run.predict(tmp_path / "patterns", quiet=True)
