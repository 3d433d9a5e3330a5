"""A trunk of somebody else's package: one file that imports from `labelprop.models` alone."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.models.choose import parse_model
from labelprop.models.network import ModelSpec, build

TRUNK = '''
"""Vectors through random Fourier features (Rahimi & Recht 2007), which do not learn, and a linear layer."""

import torch

from labelprop.models import Entry, Trunk


class Fourier(Trunk):
    """Vectors (B, D) to features (B, width)."""

    def __init__(self, input_shape, *, width=64, scale=1.0):
        super().__init__()
        self.feature_dim = width
        self.register_buffer("frequencies", torch.randn(input_shape[0], 4 * width) * scale)
        self.mix = torch.nn.Linear(4 * width, width)

    def forward(self, x):
        return torch.relu(self.mix(torch.cos(x @ self.frequencies)))


ENTRY = Entry("fourier_trunk:Fourier", "Random Fourier features of vectors.")
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "fourier_trunk.py").write_text(TRUNK, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("fourier", "fourier_trunk:ENTRY", "labelprop.models")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "labelprop.models" else [])
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


def test_it_is_chosen_and_built_by_name(installed) -> None:
    name, options = parse_model("fourier(width=8, scale=0.5)")
    assert (name, options) == ("fourier", {"width": 8, "scale": 0.5})
    spec = ModelSpec(name, (5,), {"class": 3}, options)
    outputs = build(spec, seed=0)(torch.randn(4, 5))
    assert (outputs["feature"].shape, outputs["class"].shape) == ((4, 8), (4, 3))
    again = ModelSpec.from_json(json.loads(json.dumps(spec.to_json())))
    for one, other in zip(build(spec, 1).state_dict().values(), build(again, 1).state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_its_options_are_checked(installed) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'scale'"):
        parse_model("fourier(scal=2)")
