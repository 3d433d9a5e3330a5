"""Every propagator with its defaults, both heads and the automatic join at 1, 2 and 5 labels a class.

banking77 (MiniLM), isolet1, letter, mnist and fashion_mnist (pixels), at most 10,000 rows each; ten draws of seeds a
cell. Accuracy is that on the unlabeled rows, an unreached row being wrong. Fixed propagators of a set share
neighbor lists, searched once. The truth of unlabeled rows is used for nothing but the accuracy.

The table of weights of `AutoPropagation` is from draws of the same sets (join_table.py), so here each set gets the
table made of the other four: results/join_table.json.

Each cell is saved when it is done and a restart continues. JSON and table go to benchmarks/results/.

    python benchmarks/auto_propagation.py --data DIR
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from common import RESULTS, provenance, save
from labelprop.core import registry
from labelprop.graph.neighbors import nearest
from labelprop.propagators.choice import weighing
from labelprop.propagators.choice.candidates import NEIGHBORS, propagator
from labelprop.propagators.votes.vote_propagator import VotePropagator

SETS = ("banking77", "isolet1", "letter", "mnist", "fashion_mnist")
ROWS, LABELS, DRAWS = 10_000, (1, 2, 5), 10
AUTO = "auto"
PLAIN, REPAIRED = "label-propagation", ("poisson", "label-propagation reweight=poisson")
FIXED: dict[str, tuple[str, dict[str, Any]]] = {
    "1-nn": ("weighted-knn", {"n_neighbors": 1}),
    "weighted-knn": ("weighted-knn", {}),
    "local": ("local", {}),
    PLAIN: ("label-propagation", {}),
    "label-propagation reweight=poisson": ("label-propagation", {"reweight": "poisson"}),
    "label-propagation center=True": ("label-propagation", {"center": True}),
    "label-spreading": ("label-spreading", {}),
    "diffusion": ("diffusion", {}),
    "spectral-cut": ("spectral-cut", {}),
    "poisson": ("poisson", {}),
    "labels-only": (AUTO, {"candidates": ["labels-only"]}),
    "soft-head": (AUTO, {"candidates": ["soft-head"]}),
}


def read_set(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, d) float32 and labels of at most 10,000 rows, in shuffled order (banking77 is sorted by class)."""
    folder = data / name
    if not folder.is_dir():
        sys.exit(f"{folder} is missing; --data must name a folder that holds {', '.join(SETS)}")
    if name == "banking77":
        X, truth = np.load(folder / "emb_minilm_train.f16.npy"), np.load(folder / "labels_train.npy").astype(np.int64)
        rows = np.random.default_rng(0).permutation(len(truth))[:ROWS]
        return X[rows].astype(np.float32), truth[rows]
    table = pq.read_table(folder / ("all.parquet" if name == "isolet1" else "train.parquet"))
    table = table.take(np.random.default_rng(0).permutation(len(table))[:ROWS])
    truth = table.column("label").to_numpy()
    if "features" in table.column_names:
        return np.stack(table.column("features").to_numpy()).astype(np.float32), truth
    cells = table.column("image").to_pylist()
    X = np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"]))).ravel() for cell in cells])
    return X.astype(np.float32) / 255, truth


def draw_seeds(truth: np.ndarray, per_class: int, draw: int) -> np.ndarray:
    """y: `per_class` labels of every class, -1 elsewhere."""
    generator = np.random.default_rng((per_class, draw))
    y = np.full(len(truth), -1)
    for label in np.unique(truth):
        y[generator.choice(np.flatnonzero(truth == label), per_class, replace=False)] = label
    return y


def leave_out(name: str) -> None:
    """Gives `AutoPropagation` the table of weights that was made without this set."""
    made = json.loads((RESULTS / "join_table.json").read_text(encoding="utf-8"))
    rows = made["summary"]["leaving_out"][name]
    weighing.TABLE = {
        int(labels): {method: weight for method, weight in zip(made["members"], row, strict=True) if weight}
        for labels, row in rows.items()
    }


class Entrants:
    """All that is compared on one data set: fixed methods and `auto`."""

    def __init__(self, X: np.ndarray) -> None:
        self._X = X
        found = nearest(X, max(NEIGHBORS))
        distances_NK = (2 - 2 * found.similarities_NK.double()).clamp_min(0).sqrt()
        self._lists = found.indices_NK.numpy(), distances_NK.numpy()
        self._graphs: dict[int, sparse.csr_array] = {}
        self._fitted: dict[str, tuple[Any, Any]] = {}

    def make(self, key: str, method: str, parameters: Mapping[str, Any]) -> tuple[Any, Any]:
        """An estimator that keeps its graph from draw to draw, and the input it takes."""
        if key not in self._fitted:
            kind = propagator(method)
            if method == AUTO or issubclass(kind, VotePropagator):
                self._fitted[key] = kind(**parameters, warm_start=True), self._X
            else:
                k = {**registry.parameters("propagators", method), **parameters}["n_neighbors"]
                chosen = kind(**parameters, metric="precomputed_distances", warm_start=True)
                self._fitted[key] = chosen, self._graph(k)
        return self._fitted[key]

    def _graph(self, k: int) -> sparse.csr_array:
        if k not in self._graphs:
            indices_NK, distances_NK = (part[:, :k] for part in self._lists)
            n = len(indices_NK)
            parts = (distances_NK.ravel().astype(np.float32), indices_NK.ravel(), np.arange(0, n * k + 1, k))
            self._graphs[k] = sparse.csr_array(parts, shape=(n, n))
        return self._graphs[k]


def entries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(key, method, parameters): fixed methods and auto."""
    for key, (method, parameters) in FIXED.items():
        yield key, method, parameters
    yield AUTO, AUTO, {}


def run_cell(entrants: Entrants, truth: np.ndarray, per_class: int) -> dict[str, Any]:
    """Accuracies (%) and seconds of every entry over the draws; what `auto` chose."""
    accuracy: dict[str, list[float]] = {}
    seconds: dict[str, list[float]] = {}
    reasons = []
    for draw in range(DRAWS):
        y = draw_seeds(truth, per_class, draw)
        for key, method, parameters in entries():
            estimator, given = entrants.make(key, method, parameters)
            began = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                estimator.fit(given, y)
            seconds.setdefault(key, []).append(round(time.perf_counter() - began, 3))
            right = (estimator.transduction_ == truth)[y < 0].mean()
            accuracy.setdefault(key, []).append(round(100 * float(right), 3))
            if key == AUTO:
                reasons.append(estimator.reason_)
    return {"accuracy": accuracy, "seconds": seconds, "auto": reasons}


def summarize(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Means of all entries over the cells, and the requirements."""
    rows = {key: {c: statistics.mean(cell["accuracy"][key]) for c, cell in cells.items()} for key in [*FIXED, AUTO]}
    means = {key: statistics.mean(row.values()) for key, row in rows.items()}
    best_fixed = max(FIXED, key=lambda key: means[key])
    behind = {c: max(rows[key][c] for key in FIXED) - rows[AUTO][c] for c in cells}
    worst = max(behind, key=lambda cell: behind[cell])
    lead = {
        name: max(rows[key][f"{name} 1"] for key in REPAIRED) - rows[PLAIN][f"{name} 1"]
        for name in ("mnist", "fashion_mnist")
    }
    return {
        "mean": {key: round(value, 2) for key, value in means.items()},
        "best_fixed": best_fixed,
        "auto_minus_best_fixed": round(means[AUTO] - means[best_fixed], 2),
        "worst_cell_behind_its_best": {worst: round(behind[worst], 2)},
        "repaired_minus_plain_at_1": {name: round(gap, 2) for name, gap in lead.items()},
        "rows": {key: {c: round(value, 2) for c, value in row.items()} for key, row in rows.items()},
    }


def table(summary: Mapping[str, Any]) -> str:
    """The cells in Markdown, best of the fixed ones in bold."""
    rows = summary["rows"]
    cells = [f"{name} {labels}" for name in SETS for labels in LABELS]
    lines = ["| method | " + " | ".join(cells) + " | mean |", "|---" * (len(cells) + 2) + "|"]
    for key in sorted(rows, key=lambda key: -summary["mean"][key]):
        shown = []
        for cell in cells:
            best = max(rows[other][cell] for other in FIXED)
            text = f"{rows[key][cell]:.1f}"
            shown.append(f"**{text}**" if rows[key][cell] == best else text)
        lines.append(f"| {key} | " + " | ".join(shown) + f" | {summary['mean'][key]:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"folder that holds {', '.join(SETS)}")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-auto-propagation"))
    parser.add_argument("--only", choices=SETS, help="one set, without a summary: several can run at once")
    options = parser.parse_args()
    made = provenance()  # before the work: the commit may move while it runs
    options.out.mkdir(parents=True, exist_ok=True)
    cells = {}
    for name in [options.only] if options.only else SETS:
        entrants = None
        for labels in LABELS:
            path = options.out / f"{name}-{labels}.json"
            if not path.exists():
                leave_out(name)
                X, truth = read_set(options.data, name)
                entrants = entrants or Entrants(X)
                path.write_text(json.dumps(run_cell(entrants, truth, labels)), encoding="utf-8")
            cell = cells[f"{name} {labels}"] = json.loads(path.read_text(encoding="utf-8"))
            print(name, labels, {key: round(statistics.mean(cell["accuracy"][key]), 1) for key in [*FIXED, AUTO]})
    if options.only:
        return
    summary = summarize(cells)
    (RESULTS / "auto_propagation.md").write_text(table(summary), encoding="utf-8")
    print(save("auto_propagation", made | {"summary": summary, "cells": cells}))
    print(table(summary))


if __name__ == "__main__":
    main()
