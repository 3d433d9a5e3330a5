"""Loss traces of 20 steps of every recipe in float64: a changed number is a changed method (`make golden`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from labelprop import registry
from labelprop.clock import StageClock
from labelprop.data.batches import Loader
from labelprop.data.preprocessing import Preprocessing
from labelprop.data.views import Views
from labelprop.models.network import ModelSpec, build
from labelprop.training import loop, recipes
from labelprop.training.job import Job, Plan, WorkMeter
from labelprop.types import Task
from served import content_for

STEPS, PER_EPOCH = 20, 5
SMALL = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5, "dim": 8, "threshold": 0.4, "view": "strong"}
# "view": of tiny pictures weak views are so alike that the last bit of a processor decides which of them is farthest.
FOLDER = Path(__file__).parent / "traces"


def small(name: str) -> dict[str, Any]:
    return {key: value for key, value in SMALL.items() if key in registry.lookup("recipes", name).parameters}


CASES: dict[str, tuple[str, dict[str, Any]]] = {name: (name, small(name)) for name in registry.table("recipes")} | {
    "supervised-two-drops": ("supervised", small("supervised") | {"schedule": "two-drops"}),
    "uda-annealed": ("uda", small("uda") | {"annealing": "exp"}),
    "pseudo-label-two-stage": ("pseudo-label", {"form": "two-stage", "batch_size": 12}),
    "vat-reversed": ("vat", small("vat") | {"divergence": "reverse-kl"}),
    "dmt-weighted": ("dmt", small("dmt") | {"weighted": True}),
    "dmt-voted": ("dmt", small("dmt") | {"source": "knn"}),
}  # and the forms of a recipe that its settings choose


class InFloat64(nn.Module):
    """The network in float64, whatever its views are in."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.double()

    def forward(self, x: torch.Tensor):
        return self.net(x.double())


def trace(name: str, settings: dict[str, Any]) -> list[float]:
    """The mean loss of every epoch of every phase."""
    generator = torch.Generator().manual_seed(0)
    classes_N = torch.arange(72) % 3
    vectors_ND = 2 * torch.eye(6)[classes_N] + torch.randn(72, 6, generator=generator)
    task = Task(torch.where(torch.arange(72) < 12, classes_N, -1), torch.ones(72), 3, seed=0)
    recipe = recipes.build(name, settings)
    content, model = content_for(recipe, vectors_ND)
    spec = ModelSpec(model, content.shape, recipe.heads(3), {}, recipe.l2_feature)
    lines: list[dict] = []

    class Kept:
        def append_history(self, line) -> None:
            lines.append(dict(line))

        def cut_history(self, training: str, lines: int) -> None: ...

    job = Job(
        label=name,
        recipe=recipe,
        plan=Plan((STEPS,) * len(recipe.phases), PER_EPOCH),
        task=task,
        loader=Loader.over(content, Views(Preprocessing.measure(content), "strong"), torch.device("cpu")),
        build=lambda: InFloat64(build(spec, seed=0)),
        fabric=Fabric(accelerator="cpu", devices=1, precision="64-true"),
        meter=WorkMeter(1),
        clock=StageClock(),
        history=Kept(),
    )
    loop.run(job)
    return [line["loss"] for line in lines]


@pytest.mark.parametrize("name", CASES)
def test_trace(name: str, update_golden: bool) -> None:
    found = trace(*CASES[name])
    file = FOLDER / f"{name}.txt"
    if update_golden:
        FOLDER.mkdir(exist_ok=True)
        file.write_text("".join(f"{value:.10g}\n" for value in found))
    assert found == pytest.approx([float(line) for line in file.read_text().split()], rel=1e-6)
