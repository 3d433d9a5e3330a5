"""The cost of a training in image passes: forward and backward of one image count 1, forward alone 1/3.

Passes are counted by running a few steps of every phase on a small network, not written down by recipe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from labelprop.core.clock import StageClock
from labelprop.core.types import Task
from labelprop.data.contents import TensorContent
from labelprop.data.views.batches import Loader
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views
from labelprop.methods.base import Method
from labelprop.methods.phases import Recipe
from labelprop.models.network import ModelSpec, Network, build
from labelprop.training import recipes
from labelprop.training.job import Job, Lengths, make_fabric
from labelprop.training.lengths import cost_of, epoch_length, lengths_of, most
from labelprop.training.phase_run import PhaseRun
from labelprop.training.rehearsal import PhaseCost

FORWARD = 1 / 3  # of forward and backward: the backward pass takes about twice as long as the forward one
DIM = 8
STEPS = 2


def steps_within(passes: float, recipe: Recipe, task: Task) -> tuple[int, float]:
    """The most steps of the main phase that `passes` pay for, at least one, and what they cost with all the rest."""
    phases, per_epoch = count(recipe, task), epoch_length(recipe, task)

    def of(main_steps: int) -> float:
        return cost_of(lengths_of(recipe, per_epoch, main_steps), phases)

    steps = max(1, most(of, passes))
    return steps, of(steps)


def count(recipe: Recipe, task: Task) -> list[PhaseCost]:
    """Image passes of each phase, counted on a small network with this task's labels and random examples."""
    content, model, augment = _examples(recipe, task.n)
    device, shape = torch.device("cpu"), tuple(content.shape)
    spec = ModelSpec(model, shape, recipe.heads(task.n_classes), {}, recipe.l2_feature)
    job = Job(
        label="count",
        recipe=recipe,
        lengths=Lengths((STEPS,) * len(recipe.phases), STEPS),
        task=task,
        loader=Loader.over(content, Views(Preprocessing.measure(content), augment), device),
        build=partial(build, spec, seed=0),
        fabric=make_fabric(device, deterministic=False),
        clock=StageClock(),
    )
    found: list[PhaseCost] = []
    before: Method | None = None
    for index in range(len(recipe.phases)):
        cost, before = _count_phase(job, index, before)
        found.append(cost)
    return found


def _count_phase(job: Job, index: int, before: Method | None) -> tuple[PhaseCost, Method]:
    """The cost of a phase, which takes over from the method `before`, and its own method."""
    with torch.random.fork_rng():
        phase = PhaseRun(job, job.build(), index, {}, None, before)
        with _counting() as seen:
            phase.refresh(0)
            first = sum(seen)
            seen.clear()
            phase.epoch(0)
            steps = sum(seen)
            seen.clear()
            phase.refresh(1)
    return PhaseCost(steps / STEPS, first, sum(seen)), phase.method


def _examples(recipe: Recipe, n: int) -> tuple[TensorContent, str, str]:
    """Random vectors, or tiny pictures where the recipe refuses these, and a network and views for them.

    Of pictures the views differ: a recipe may have nothing to learn where they are alike.
    """
    generator = torch.Generator().manual_seed(0)
    if recipes.refusal(recipe, (DIM,)) is None:
        return TensorContent(torch.randn(n, DIM, generator=generator), torch.float32), "mlp", "none"
    pixels = torch.randint(256, (n, 1, DIM, DIM), generator=generator, dtype=torch.uint8)
    return TensorContent(pixels, torch.uint8), "small_cnn", "shift"


@contextmanager
def _counting() -> Iterator[list[float]]:
    """Passes of every network's forward call, its copies' (teachers') included, while this is open."""
    seen: list[float] = []

    def note(module: nn.Module, given: tuple[Any, ...]) -> None:
        if isinstance(module, Network):
            learns = torch.is_grad_enabled() and any(p.requires_grad for p in module.parameters())
            seen.append(len(given[0]) * (1.0 if learns else FORWARD))

    handle = nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
