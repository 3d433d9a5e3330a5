"""The two papers' systems on a CPU: fashion_mnist and cifar10 in small, under equal image passes.

fashion_mnist: 10,000 images, 20 labels a class, `small_cnn`, 400 thousand passes a run. cifar10: 10,000 images, 50
labels a class, `preact_resnet18` at width 16, 800 thousand passes. Three splits each.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from labelprop.bench.cells import Work
from labelprop.bench.equal_passes import BASELINE, BenchFilter, BenchSet, RecipeRow, work_on
from labelprop.bench.sets import split_images

ROWS = 10_000

BENCH_SETS = (
    BenchSet(
        name="fashion_mnist",
        what="10,000 images, 20 labels a class",
        draw=partial(split_images, name="fashion_mnist", rows=ROWS, per_class=20),
        model="small_cnn",
        passes=400_000,
        splits=3,
        rows=(
            *map(RecipeRow, (BASELINE, "network-prediction", "dlp", "mean-teacher", "mt+dlp")),
            *map(RecipeRow, ("ir", "la", "llp", "llp+rj")),
            RecipeRow("llp", {"density": None}),
        ),
    ),
    BenchSet(
        name="cifar10",
        what="10,000 images, 50 labels a class",
        draw=partial(split_images, name="cifar10", rows=ROWS, per_class=50),
        model="preact_resnet18(width=16)",
        passes=800_000,
        splits=3,
        rows=tuple(map(RecipeRow, (BASELINE, "network-prediction", "dlp", "mt+dlp"))),
    ),
)


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
    return work_on("small", BENCH_SETS, BenchFilter(sets, rows, splits, scale, precision, processes), data)
