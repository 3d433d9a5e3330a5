"""The number of cells that the rule of `propagators/systems/coarse.py` takes, against a quarter to four times that.

Diffusion to a residual of 1e-3 and label propagation to 1e-6, seconds with setting up, ten labels a class: vectors of
overlapping classes at 10,000 rows and more, and with `--data` isolet1, letter, banking77, mnist and fashion_mnist.
Numbers of cells are tried in turns, medians count. Problems are saved one by one and a restart continues.

    python benchmarks/number_of_cells.py [--data DIR] [--sizes 10000,100000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auto_propagation import SETS, draw_seeds, read_set
from common import provenance, save
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.label_propagation import LabelPropagation
from labelprop.propagators.systems import coarse
from overlapping import draw_seeds as draw_even
from overlapping import overlapping_clusters
from solvers import images

TIMES = (0.25, 0.5, 1.0, 2.0, 4.0)
CLASSES, PER_CLASS, REPETITIONS = 100, 10, 3
PICTURES = ("mnist", "fashion_mnist")  # all of their rows
SYSTEMS: dict[str, tuple[type, dict[str, Any]]] = {
    "diffusion": (Diffusion, {"tol": 1e-3, "max_iter": 3000}),
    "label-propagation": (LabelPropagation, {"tol": 1e-6, "max_iter": 3000}),
}


def problems(data: Path | None, sizes: list[int]) -> Iterator[tuple[str, np.ndarray, np.ndarray, int]]:
    """(name, vectors, labels of the seeds, classes)."""
    for n in sizes:
        X, truth = overlapping_clusters(n, CLASSES)
        yield f"overlapping {n:,}", X, draw_even(truth, PER_CLASS), CLASSES
    for name in SETS if data else ():
        X, truth = images(data / name) if name in PICTURES else read_set(data, name)
        yield f"{name} {len(X):,}", X, draw_seeds(truth, PER_CLASS, 0), int(truth.max()) + 1


def measured(X: np.ndarray, y: np.ndarray, n_classes: int) -> dict[str, Any]:
    """By system and multiple of the rule's number: cells, steps and median seconds."""
    seeds, found, rule = Seeds.hard(torch.from_numpy(y), n_classes), {}, coarse.CELLS
    for name, (kind, settings) in SYSTEMS.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = kind(metric="cosine", max_iter=1).fit(X, y).graph_
        runs: dict[float, list[dict[str, Any]]] = {times: [] for times in TIMES}
        for _ in range(REPETITIONS):
            for times in TIMES:
                coarse.CELLS = rule * times
                solver = kind(preconditioner="cells", **settings)
                solver.on_graph(graph).forget()
                started = time.perf_counter()
                steps = solver.label(seeds).steps
                runs[times].append({"seconds": round(time.perf_counter() - started, 3), "steps": steps})
        coarse.CELLS = rule
        middle = {t: {k: statistics.median(run[k] for run in part) for k in part[0]} for t, part in runs.items()}
        best = min(row["seconds"] for row in middle.values())
        found[name] = {"by_times": middle, "rule_against_best": round(middle[1.0]["seconds"] / best, 3)}
        print(name, found[name], flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"folder that holds {', '.join(SETS)}")
    parser.add_argument("--sizes", default="10000,100000", help="rows of the overlapping classes")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-number-of-cells"))
    options = parser.parse_args()
    made, content = provenance(), {}
    options.out.mkdir(parents=True, exist_ok=True)
    for name, X, y, n_classes in problems(options.data, [int(n) for n in options.sizes.split(",")]):
        path = options.out / f"{name.replace(' ', '-')}.json"
        if not path.exists():
            print(name, flush=True)
            path.write_text(json.dumps(measured(X, y, n_classes)), encoding="utf-8")
        content[name] = json.loads(path.read_text(encoding="utf-8"))
    print(save("number_of_cells", made | content))


if __name__ == "__main__":
    main()
