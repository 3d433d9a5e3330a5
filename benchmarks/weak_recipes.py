"""Why two recipes were weak: settings of `freematch` and `fixmatch+dlp` under the budget of `bench recipes`.

banking77 as there, and the images of fashion_mnist at 14 pixels, which takes a quarter of the time. A run that is
stopped goes on where it was. Cells and tables go to --out; those of benchmarks/results/weak_recipes were made so.

    OMP_NUM_THREADS=1 python benchmarks/weak_recipes.py --data DIR --out DIR [--sets banking77] [--splits 3]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from labelprop.bench import recipes
from labelprop.bench.equal_passes import BASELINE, BenchFilter, RecipeRow, work_on
from labelprop.core.progress import WarningsOnly
from labelprop.core.run_folder import RunFolder

FREEMATCH = tuple(RecipeRow("freematch", {"momentum": momentum}) for momentum in (0.999, 0.97, 0.9, 0.84, 0.7))
BATCHES = tuple(RecipeRow(name, {"batch_size": size}) for name in ("fixmatch", "fixmatch+dlp") for size in (512, 192))
BENCH_SETS = tuple(
    replace(
        part,
        name="fashion_mnist at 14 pixels" if part.name == "fashion_mnist" else part.name,
        rows=(RecipeRow(BASELINE), RecipeRow("dlp"), *FREEMATCH, *BATCHES),
        image_size=14 if part.name == "fashion_mnist" else None,
        splits=3,
    )
    for part in recipes.parts()
    if part.name in ("banking77", "fashion_mnist")
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/ and fashion_mnist/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the cells and tables")
    parser.add_argument("--sets", default="", help="names with commas; none: both")
    parser.add_argument("--rows", default="", help="names with commas, as in the table; none: all")
    parser.add_argument("--splits", type=int, help="default 3")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    wanted = BenchFilter(asked.sets, asked.rows, asked.splits, precision="float32")
    print(work_on("weak_recipes", BENCH_SETS, wanted, asked.data)(RunFolder(asked.out), WarningsOnly()))


if __name__ == "__main__":
    main()
