"""What `--recipe auto` chooses, against each of its candidates trained in full on the same labels.

banking77 (MiniLM vectors, 5 labels a class), the first 5,000 images of cifar10 as vectors of the bundled backbone
`photos` (5 and 20 labels a class), the first 5,000 of fashion_mnist as they are (20 labels a class). Accuracy is that
on the unlabeled examples; the truth scores, and nothing is chosen by it. All trainings of a cell have the same seed
and length, so that the run of `auto` is, after its race, the run of the recipe that it chose. Regret is the best
candidate's accuracy less that of the chosen one; the reason that the race gives holds its margin and standard error.

Each training is saved when it is done and a restart continues. JSON goes to benchmarks/results/.

    python benchmarks/recipe_auto.py --data DIR
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import labelprop
from common import RESULTS, provenance, save
from labelprop.bench.sets import banking77, draw_nested, required, split_images
from labelprop.core.run_folder import RACE, RunFolder
from labelprop.training.halving import ROUNDS

NAME = "recipe_auto"
FIRST_SEED = 100  # of splits that no default was chosen on
IMAGES = 5_000


@dataclass(frozen=True)
class Cell:
    """A data set with so many labels a class; `read` gives examples for `train` and their classes."""

    name: str
    per_class: int
    splits: int
    read: Callable[[Path, Path], tuple[Any, np.ndarray]]


def texts(data: Path, scratch: Path) -> tuple[Any, np.ndarray]:
    return banking77(data)


def images(data: Path, scratch: Path, name: str) -> tuple[Any, np.ndarray]:
    """A table of the first images, without labels, and their classes."""
    import pyarrow.parquet as pq

    examples = split_images(data, name, scratch / name, IMAGES, 1, 0).examples
    labels = pq.read_table(required(data / name / "train.parquet"), columns=["label"]).column("label").to_numpy()
    return examples, labels[:IMAGES].astype(np.int64)


def vectors(data: Path, scratch: Path, name: str) -> tuple[Any, np.ndarray]:
    """The same images as vectors of the bundled backbone, embedded once."""
    examples, truth_N = images(data, scratch, name)
    kept = scratch / f"{name}-{IMAGES}.npy"
    if not kept.exists():
        np.save(kept, labelprop.embed(examples, backbone="photos"))
    return np.load(kept), truth_N


CELLS = (
    Cell("banking77", 5, 3, texts),
    Cell("cifar10", 5, 1, partial(vectors, name="cifar10")),
    Cell("cifar10", 20, 1, partial(vectors, name="cifar10")),
    Cell("fashion_mnist", 20, 1, partial(images, name="fashion_mnist")),
)


def measure(
    cell: Cell,
    seed: int,
    data: Path,
    scratch: Path,
    steps: int | None,
    kept: dict[str, Any],
    keep: Callable[[], object],
) -> None:
    """Fills in what is missing of one split: the race, and each candidate's accuracy."""
    examples, truth_N = cell.read(data, scratch)
    given_N = np.where(draw_nested(truth_N, np.random.default_rng(seed)) < cell.per_class, truth_N, -1)

    def trained(recipe: str) -> float:
        with tempfile.TemporaryDirectory() as folder:
            out, began = Path(folder) / "run", time.perf_counter()
            options: dict[str, Any] = {"seed": seed, "steps": steps, "baselines": False, "quiet": True}
            run = labelprop.train(examples, given_N, truth=truth_N, recipe=recipe, out=out, **options)
            kept.setdefault("seconds", {})[recipe] = round(time.perf_counter() - began, 1)
            if recipe == "auto":
                kept["race"] = {key: RunFolder(out).read_json(RACE)[key] for key in ("recipe", "reason", "lengths")}
                kept["scores"] = scores(RunFolder(out).read_json(RACE)["heats"])
            return float(run.metrics["unlabeled"]["accuracy"])

    found = kept.setdefault("accuracy", {})
    if "auto" not in found:
        found["auto"] = trained("auto")
        found[kept["race"]["recipe"]] = found["auto"]
        keep()
    for name in kept["race"]["lengths"]:
        if name not in found:
            found[name] = trained(name)
            print(cell.name, cell.per_class, seed, name, f"{found[name]:.4f}", flush=True)
            keep()
    kept["regret"] = max(found.values()) - found["auto"]


def scores(heats: list[dict[str, Any]]) -> dict[str, list[float | None]]:
    """Of each candidate the share of hidden labels that it found, round by round; None where it did not run."""
    found: dict[str, list[float | None]] = {}
    for name in dict.fromkeys(heat["recipe"] for heat in heats):
        for number in range(len(ROUNDS)):
            own = "".join(heat["found"] for heat in heats if (heat["recipe"], heat["round"]) == (name, number))
            found.setdefault(name, []).append(round(own.count("1") / len(own), 4) if own else None)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds banking77/, cifar10/, ...")
    parser.add_argument("--sets", default="", help="names of sets, with commas; none: all")
    parser.add_argument("--steps", type=int, help="of the main phase; none: the default length")
    parser.add_argument("--scratch", type=Path, default=Path(tempfile.gettempdir()) / NAME, help="of embedded images")
    parser.add_argument("--name", default=NAME, help="of the file in results/: runs beside each other want their own")
    asked = parser.parse_args()
    content: dict[str, Any] = {"runs": [], "cells": {}}
    if (RESULTS / f"{asked.name}.json").exists():
        content = json.loads((RESULTS / f"{asked.name}.json").read_text(encoding="utf-8"))
    wanted = [cell for cell in CELLS if not asked.sets or cell.name in asked.sets.split(",")]
    if not wanted:
        sys.exit(f"--sets {asked.sets}: choose among {', '.join(dict.fromkeys(cell.name for cell in CELLS))}.")
    content["runs"].append(provenance())
    for cell in wanted:
        for seed in range(FIRST_SEED, FIRST_SEED + cell.splits):
            kept = content["cells"].setdefault(f"{cell.name} {cell.per_class} {seed}", {"steps": asked.steps})
            if kept["steps"] != asked.steps:
                sys.exit(f"{cell.name}: results/{asked.name}.json has it with --steps {kept['steps']}.")
            keep = partial(save, asked.name, content)
            measure(cell, seed, asked.data, asked.scratch, asked.steps, kept, keep)
            keep()
            print(cell.name, cell.per_class, seed, f"regret {kept['regret']:.4f}", kept["race"]["reason"], flush=True)


if __name__ == "__main__":
    main()
