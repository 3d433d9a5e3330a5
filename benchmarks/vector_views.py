"""What views of a backbone's vectors recipes learn from that compare views: none, noise, or mixed with near rows.

Sets and readers are those of recipe_auto.py: banking77 as MiniLM vectors of its texts and the first images of cifar10
as vectors of the bundled backbone `photos`, 5 labels a class. Accuracy is that on the unlabeled examples, after the
last epoch; the views of a split have the same labels and seed.

Each training is saved when it is done and a restart continues. JSON goes to benchmarks/results/.

    python benchmarks/vector_views.py --data DIR [--recipes mt+dlp,freematch] [--splits 3] [--steps 500]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import labelprop
from common import RESULTS, provenance, save
from labelprop.bench.sets import draw_nested
from recipe_auto import CELLS, FIRST_SEED

NAME = "vector_views"
VIEWS = ("none", "noise", "mix")
VECTORS = ("banking77", "cifar10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/ and cifar10/")
    parser.add_argument("--recipes", default="mt+dlp,freematch")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / NAME, help="of embedded images")
    asked = parser.parse_args()
    path = RESULTS / f"{NAME}.json"
    content: dict[str, Any] = {"runs": [], "cells": {}}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    content["runs"].append(provenance())
    for cell in (cell for cell in CELLS if cell.name in VECTORS and cell.per_class == 5):
        examples, truth_N = cell.read(asked.data, asked.scratch)
        for seed in range(FIRST_SEED, FIRST_SEED + asked.splits):
            given_N = np.where(draw_nested(truth_N, np.random.default_rng(seed)) < cell.per_class, truth_N, -1)
            for recipe in asked.recipes.split(","):
                for view in VIEWS:
                    key = f"{cell.name} {recipe} {view} {asked.steps} {seed}"
                    if key not in content["cells"]:
                        content["cells"][key] = trained(examples, given_N, truth_N, recipe, view, seed, asked.steps)
                        save(NAME, content | {"mean": means(content["cells"])})
                        print(key, f"{content['cells'][key]:.4f}", flush=True)


def trained(
    examples: Any, given_N: np.ndarray, truth_N: np.ndarray, recipe: str, view: str, seed: int, steps: int
) -> float:
    """Share of the unlabeled examples that a recipe with these views gets right."""
    with tempfile.TemporaryDirectory() as folder:
        run = labelprop.train(
            examples,
            given_N,
            truth=truth_N,
            recipe=recipe,
            augment=view,
            seed=seed,
            steps=steps,
            out=Path(folder) / "run",
            baselines=False,
            report=False,
            quiet=True,
        )
        return float(run.metrics["unlabeled"]["accuracy"])


def means(cells: dict[str, float]) -> dict[str, list[float]]:
    """Mean over the splits, and the number of them."""
    found: dict[str, list[float]] = {}
    for key, value in cells.items():
        found.setdefault(key.rsplit(" ", 1)[0], []).append(value)
    return {name: [round(statistics.mean(values), 4), len(values)] for name, values in found.items()}


if __name__ == "__main__":
    main()
