"""A training of 20 steps a phase, in float64, of any recipe on 72 small vectors, or on pictures of them."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from labelprop.core import registry
from labelprop.core.clock import StageClock
from labelprop.core.types import Task
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.models.network import ModelSpec, build
from labelprop.training import loop, recipes
from labelprop.training.job import Job, Lengths, TrainedNetwork
from served import content_for

STEPS, PER_EPOCH = 20, 5
SMALL = {"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5, "dim": 8, "threshold": 0.4, "view": "strong"}
# "view": of tiny pictures weak views are so alike that the last bit of a processor decides which of them is farthest.


def small(name: str) -> dict[str, Any]:
    return {key: value for key, value in SMALL.items() if key in registry.parameters("recipes", name)}


class InFloat64(nn.Module):
    """The network in float64, whatever its views are in."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net.double()

    def forward(self, x: torch.Tensor):
        return self.net(x.double())


def trained(
    name: str, settings: dict[str, Any], labeled: tuple[int, ...] = (4, 4, 4)
) -> tuple[list[float], TrainedNetwork, tuple[int, ...]]:
    """The mean loss of every epoch of every phase, what was made, and the shape of an example.

    `labeled` says how many of the 24 examples of each class have a label.
    """
    generator = torch.Generator().manual_seed(0)
    classes_N = torch.arange(72) % 3
    vectors_ND = 2 * torch.eye(6)[classes_N] + torch.randn(72, 6, generator=generator)
    given_N = torch.arange(72) // 3 < torch.tensor(labeled)[classes_N]
    task = Task(torch.where(given_N, classes_N, -1), torch.ones(72), 3, seed=0)
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
        lengths=Lengths((STEPS,) * len(recipe.phases), PER_EPOCH),
        task=task,
        loader=Loader.over(content, Views(Preprocessing.measure(content), "strong"), torch.device("cpu")),
        build=lambda: InFloat64(build(spec, seed=0)),
        fabric=Fabric(accelerator="cpu", devices=1, precision="64-true"),
        clock=StageClock(),
        history=Kept(),
    )
    made = loop.run(job)
    return [line["loss"] for line in lines], made, content.shape
