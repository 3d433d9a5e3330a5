"""Loss traces of 20 steps of every recipe in float64: a changed number is a changed method (`make golden`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labelprop.core import registry
from short_training import small, trained

FOLDER = Path(__file__).parent / "traces"
PAPER = {"start": "instances", "lr": 0.03, "weight_decay": 1e-4}  # traces of version 0.1.0, which had no other start
FROM_INSTANCES = ("llp", "llp+rj", "mt+llp", "uda+llp", "la+llp")
CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, small(name)) for name in registry.entries("recipes")} | {
    "supervised-two-drops": ("supervised", small("supervised") | {"schedule": "two-drops"}),
    "uda-annealed": ("uda", small("uda") | {"annealing": "exp"}),
    "pseudo-label-two-stage": ("pseudo-label", {"form": "two-stage", "batch_size": 12}),
    "freematch-long-memory": ("freematch", small("freematch") | {"momentum": 0.999}),
    "vat-reversed": ("vat", small("vat") | {"divergence": "reverse-kl"}),
    "dmt-weighted": ("dmt", small("dmt") | {"weighted": True}),
    "dmt-voted": ("dmt", small("dmt") | {"source": "knn"}),
    **{f"{name}-instances": (name, small(name) | PAPER) for name in FROM_INSTANCES},
}  # and the forms of a recipe that its settings choose


@pytest.mark.parametrize("name", CASES)
def test_trace(name: str, update_golden: bool) -> None:
    found, _, _ = trained(*CASES[name])
    file = FOLDER / f"{name}.txt"
    if update_golden:
        FOLDER.mkdir(exist_ok=True)
        file.write_text("".join(f"{value:.10g}\n" for value in found))
    assert found == pytest.approx([float(line) for line in file.read_text().split()], rel=1e-6)
