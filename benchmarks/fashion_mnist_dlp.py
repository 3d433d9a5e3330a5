"""supervised, network-prediction and dlp on Fashion-MNIST under equal image passes.

10,000 images, 20 labels a class, `small_cnn`; forward and backward of one image count 1, forward alone 1/3.
Each run is saved on its own and a restart continues. The table goes to benchmarks/results/.

    python benchmarks/fashion_mnist_dlp.py --data DIR
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import labelprop
from common import data_argument, fashion_mnist, provenance, save, write_split
from labelprop.progress import Lines

RECIPES = ("supervised", "network-prediction", "dlp")
ROWS, PER_CLASS, PASSES = 10_000, 20, 400_000
FORWARD = 1 / 3


def epochs_for(recipe: str, passes: int, n: int, n_given: int, batch: int = 100, labeled: int = 50) -> int:
    """Main-phase epochs that spend `passes`: stage 1 is a quarter of the main steps; a refresh sees all n."""
    steps = (n - n_given) // (batch - labeled)
    if recipe == "supervised":
        return round(passes / (steps * batch))
    per_epoch = steps * batch * 1.25 + n * FORWARD
    return round((passes - n * FORWARD) / per_epoch)


def passes_of(run: dict[str, Any], n: int, batch: int = 100) -> float:
    """Image passes that a finished run spent on its recipe, from its record."""
    phases = run["phases"][run["recipe"]]
    refreshes = run["main_steps"] // run["steps_per_epoch"] + 1 if run["recipe"] != "supervised" else 0
    return sum(phases.values()) * batch + refreshes * n * FORWARD


def run_cell(recipe: str, split: int, options: argparse.Namespace) -> dict[str, Any]:
    folder = options.out / f"split{split}"
    train_rows = fashion_mnist(options.data, "train", ROWS)
    data, labels, truth = write_split(train_rows, folder, PER_CLASS, split)
    epochs = epochs_for(recipe, options.passes, ROWS, 10 * PER_CLASS)
    run = labelprop.train(
        data,
        labels,
        recipe=recipe,
        model="small_cnn",
        out=folder / recipe,
        truth=truth,
        test=options.data / "fashion_mnist" / "test.parquet",
        seed=split,
        epochs=epochs,
        baselines=False,
        resume=True,
        reporter=Lines(),
    )
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    return {
        "recipe": recipe,
        "split": split,
        "epochs": epochs,
        "passes": round(passes_of(record, ROWS)),
        "unlabeled": run.metrics["unlabeled"]["accuracy"],
        "test": run.metrics["test"]["accuracy"],
        "pseudo_labels": run.metrics["pseudo_labels"]["accuracy"],
        "seconds": run.metrics["seconds"],
        "augment": record["augment"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data_argument(parser)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-fashion-mnist-dlp"))
    options = parser.parse_args()
    made = provenance()  # before the work: the commit may move while it runs
    cells = [run_cell(recipe, split, options) for split in range(options.splits) for recipe in RECIPES]
    table = {}
    for recipe in RECIPES:
        own = [cell for cell in cells if cell["recipe"] == recipe]
        table[recipe] = {
            measure: {
                "mean": round(statistics.mean(cell[measure] for cell in own), 4),
                "std": round(statistics.stdev(cell[measure] for cell in own), 4) if len(own) > 1 else None,
            }
            for measure in ("unlabeled", "test")
        }
        print(f"{recipe:<20}", *(f"{m} {v['mean']:.4f} +- {v['std'] or 0:.4f}  " for m, v in table[recipe].items()))
    print(save("fashion_mnist_dlp", made | {"table": table, "cells": cells}))


if __name__ == "__main__":
    main()
