"""The order of the two papers' systems, for two CPU cores and ten minutes: mnist at 16 pixels, 5 labels a class.

3,000 images, `small_cnn`, 60 thousand passes a run, five splits; each recipe with its defaults.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from labelprop.bench.cells import Work
from labelprop.bench.equal_passes import BASELINE, BenchFilter, BenchSet, RecipeRow, work_on
from labelprop.bench.sets import split_images

RECIPES = (BASELINE, "network-prediction", "dlp", "mean-teacher", "mt+dlp", "llp", "llp+diffusion")

BENCH_SETS = (
    BenchSet(
        name="mnist",
        what="3,000 images at 16 pixels, 5 labels a class",
        draw=partial(split_images, name="mnist", rows=3000, per_class=5),
        model="small_cnn",
        image_size=16,
        passes=60_000,
        splits=5,
        rows=tuple(map(RecipeRow, RECIPES)),
        compared=(
            ("network-prediction", BASELINE),
            ("dlp", "network-prediction"),
            ("mean-teacher", BASELINE),
            ("mt+dlp", "mean-teacher"),
            ("mt+dlp", "dlp"),
            ("llp", BASELINE),
            ("llp+diffusion", "llp"),
        ),
    ),
)


def run(
    data: Path,
    *,
    splits: int | None = None,
    rows: str = "",
    scale: float = 1,
    processes: int = 2,
) -> Work:
    """The cells of `BenchFilter`; see `work_on`."""
    return work_on("order", BENCH_SETS, BenchFilter("", rows, splits, scale, "float32", processes), data)
