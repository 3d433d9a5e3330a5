"""Cosine against Euclidean distance, and how sharp their weights are: label propagation, label spreading, Poisson.

At most 4,000 rows of banking77 (MiniLM), isolet1, letter, mnist and fashion_mnist (pixels), 1, 2 and 5 labels a
class, three draws of them; 10 neighbors, all other parameters at their defaults. Accuracy is that on the unlabeled
rows, an unreached row being wrong. JSON and table go to benchmarks/results/.

    python benchmarks/metric_and_sharpness.py --data DIR
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from auto_propagation import LABELS, SETS, draw_seeds, read_set
from common import RESULTS, provenance, save
from labelprop.propagators.choice.candidates import propagator

ROWS, DRAWS = 4000, 3
METRICS, SHARPNESS = ("cosine", "euclidean"), (1.0, 4.0, 8.0)
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "label-propagation": ("label-propagation", {}),
    "label-propagation reweight=poisson": ("label-propagation", {"reweight": "poisson"}),
    "label-spreading": ("label-spreading", {}),
    "poisson": ("poisson", {}),
}


def run_set(X: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Accuracies (%) of the draws, by labels a class, method, metric and sharpness."""
    found: dict[str, Any] = {}
    for metric in METRICS:
        for sharpness in SHARPNESS:
            for name, (method, parameters) in METHODS.items():
                estimator = propagator(method)(**parameters, metric=metric, sharpness=sharpness, warm_start=True)
                for labels in LABELS:
                    accuracy = []
                    for draw in range(DRAWS):
                        y = draw_seeds(truth, labels, draw)
                        with warnings.catch_warnings():
                            warnings.simplefilter("ignore", ConvergenceWarning)
                            estimator.fit(X, y)
                        right = (estimator.transduction_ == truth)[y < 0].mean()
                        accuracy.append(round(100 * float(right), 2))
                    found.setdefault(str(labels), {}).setdefault(name, {})[f"{metric} {sharpness:g}"] = accuracy
    return found


def means(cells: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The mean over draws, by cell ("mnist 1") and method, then by metric and sharpness."""
    return {
        f"{name} {labels}: {method}": {key: round(statistics.mean(draws), 1) for key, draws in row.items()}
        for name, by_labels in cells.items()
        for labels, by_method in by_labels.items()
        for method, row in by_method.items()
    }


def table(rows: Mapping[str, Mapping[str, float]]) -> str:
    """All means in Markdown, and their means by method over the cells."""
    columns = [f"{metric} {sharpness:g}" for metric in METRICS for sharpness in SHARPNESS]
    lines = ["| % right | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for method in METHODS:
        of_method = [row for name, row in rows.items() if name.endswith(f": {method}")]
        mean = (f"{statistics.mean(row[column] for row in of_method):.1f}" for column in columns)
        lines.append(f"| mean of {len(of_method)} cells: {method} | " + " | ".join(mean) + " |")
    lines += [
        f"| {name} | " + " | ".join(f"{row[column]:.1f}" for column in columns) + " |" for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {', '.join(SETS)}")
    options = parser.parse_args()
    made, cells = provenance(), {}  # before the work: the commit may move while it runs
    for name in SETS:
        X, truth = read_set(options.data, name)
        cells[name] = run_set(X[:ROWS], truth[:ROWS])
        print(name, "done", flush=True)
    rows = means(cells)
    (RESULTS / "metric_and_sharpness.md").write_text(table(rows), encoding="utf-8")
    print(save("metric_and_sharpness", made | {"rows": ROWS, "draws": DRAWS, "mean": rows, "cells": cells}))
    print(table(rows))


if __name__ == "__main__":
    main()
