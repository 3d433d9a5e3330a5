"""All recipes under one budget of equal image passes: banking77 embeddings, fashion_mnist, and cifar10 on a GPU.

Forward and backward of one example count 1, forward alone 1/3: 300 thousand a run. Every recipe that serves the data
runs with its default parameters; `supervised` is the labels alone.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch

from labelprop.bench.cells import Work
from labelprop.bench.equal_passes import BASELINE, BenchFilter, BenchSet, RecipeRow, work_on
from labelprop.bench.sets import split_banking77, split_images
from labelprop.training import recipes

PASSES = 300_000
NOT_COMPARED = ("linear-readout",)  # goes on from another run


def rows_for(shape: tuple[int, ...]) -> tuple[RecipeRow, ...]:
    """A row for every recipe that can serve examples of this shape, the labels alone first."""
    fitting = [name for name in recipes.serving(shape) if name not in NOT_COMPARED]
    return tuple(map(RecipeRow, sorted(fitting, key=lambda name: name != BASELINE)))


def parts() -> list[BenchSet]:
    """The data sets; cifar10 only where there is a GPU."""
    found = [
        BenchSet(
            name="banking77",
            what="MiniLM embeddings of texts, 5 labels a class",
            draw=partial(split_banking77, per_class=5),
            model="mlp",
            passes=PASSES,
            splits=10,
            rows=rows_for((384,)),
        ),
        BenchSet(
            name="fashion_mnist",
            what="10,000 images, 20 labels a class",
            draw=partial(split_images, name="fashion_mnist", rows=10_000, per_class=20),
            model="small_cnn",
            passes=PASSES,
            splits=3,
            rows=rows_for((1, 28, 28)),
        ),
    ]
    if torch.cuda.is_available():
        cifar10 = BenchSet(
            name="cifar10",
            what="50,000 images, 100 labels a class",
            draw=partial(split_images, name="cifar10", rows=None, per_class=100),
            model="conv13",
            passes=PASSES,
            splits=3,
            rows=rows_for((3, 32, 32)),
        )
        found.append(cifar10)
    return found


def run(
    data: Path,
    *,
    splits: int | None = None,
    sets: str = "",
    rows: str = "",
    scale: float = 1,
    precision: str = "auto",
    processes: int = 1,
) -> Work:
    """The cells of `BenchFilter`; see `work_on`."""
    return work_on("recipes", parts(), BenchFilter(sets, rows, splits, scale, precision, processes), data)
