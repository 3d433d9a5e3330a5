"""Steps and seconds of every linear system with cells and without, on the same graphs.

n rows in 100 classes, 10 labels each, to a relative residual of 1e-6 (diffusion also to 1e-3), with the time of
setting up: on overlapping classes, on classes of fine clusters set apart, and with `--data` on the 60,000 images of
mnist and fashion_mnist. Repetitions are interleaved, medians count. Beside them scikit-learn's own `LabelSpreading`
iteration on the same graph, and GraphLearning's Poisson where that package is installed.

    python benchmarks/solvers.py [--n 100000] [--data DIR]
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import io
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from scipy import sparse
from sklearn.semi_supervised import LabelSpreading as TheirLabelSpreading

from common import provenance, save
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.label_propagation import LabelPropagation
from labelprop.propagators.label_spreading import LabelSpreading
from labelprop.propagators.poisson import Poisson
from overlapping import draw_seeds, fine_clusters, overlapping_clusters

CLASSES, PER_CLASS, STEPS, THEIR_STEPS = 100, 10, 3000, 50
SYSTEMS: dict[str, tuple[type, dict[str, Any]]] = {
    "label-propagation": (LabelPropagation, {"tol": 1e-6}),
    "label-propagation reweight=poisson": (LabelPropagation, {"tol": 1e-6, "reweight": "poisson"}),
    "label-spreading": (LabelSpreading, {"tol": 1e-6}),
    "poisson": (Poisson, {"tol": 1e-6}),
    "diffusion": (Diffusion, {"tol": 1e-6}),
    "diffusion tol=1e-3": (Diffusion, {"tol": 1e-3}),
}


def images(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    table = pq.read_table(folder / "train.parquet")
    cells = table.column("image").to_pylist()
    X = np.stack([np.asarray(Image.open(io.BytesIO(cell["bytes"]))).ravel() for cell in cells])
    return X.astype(np.float32) / 255, table.column("label").to_numpy()


class OnGraph(TheirLabelSpreading):
    """scikit-learn's iteration on the normalized graph that it is given, in place of one that it builds."""

    def _build_graph(self) -> Any:
        return self.graph


def theirs(graph: AffinityGraph, y: np.ndarray) -> dict[str, float]:
    """Seconds of scikit-learn's iteration with the same alpha; a step always takes as long."""
    model = OnGraph(alpha=0.99, max_iter=THEIR_STEPS, tol=0)
    model.graph = sparse.csr_matrix(graph.normalized().to_scipy())
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(np.zeros((graph.n, 1), np.float32), y)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "steps": THEIR_STEPS, "seconds_of_1000_steps": 1000 / THEIR_STEPS * seconds}


def graphlearning_poisson(graph: AffinityGraph, y: np.ndarray) -> dict[str, Any]:
    """Seconds of GraphLearning's Poisson by conjugate gradient to the same residual; why not, where it is missing."""
    if importlib.util.find_spec("graphlearning") is None:
        return {"skipped": "graphlearning is not installed (pip install graphlearning)"}
    import graphlearning

    labeled = np.flatnonzero(y >= 0)
    model = graphlearning.ssl.poisson(
        sparse.csr_matrix(graph.to_scipy().astype(np.float64)), solver="conjugate_gradient", tol=1e-6
    )
    started = time.perf_counter()
    model.fit(labeled, y[labeled])
    return {"seconds": time.perf_counter() - started, "version": importlib.metadata.version("graphlearning")}


def compared(X: np.ndarray, y: np.ndarray, n_classes: int, repetitions: int) -> dict[str, Any]:
    """For each system the medians with cells and without, and how many labels are equal."""
    seeds, graphs, found = Seeds.hard(torch.from_numpy(y), n_classes), {}, {}
    for name, (kind, settings) in SYSTEMS.items():
        key = (kind.weigh, kind.build_graph)
        if key not in graphs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                graphs[key] = kind(metric="cosine", max_iter=1).fit(X, y).graph_
        runs: dict[str, list[dict[str, Any]]] = {"cells": [], "none": []}
        labels = {}
        for _ in range(repetitions):
            for way, done in runs.items():
                chosen = kind(preconditioner=None if way == "none" else way, max_iter=STEPS, **settings)
                chosen.on_graph(graphs[key]).forget()
                started = time.perf_counter()
                answer = chosen.label(seeds)
                seconds = time.perf_counter() - started
                done.append({"seconds": seconds, "steps": answer.steps, "residual": answer.residual})
                labels[way] = answer.labels_N
        row = {way: {k: statistics.median(run[k] for run in part) for k in part[0]} for way, part in runs.items()}
        found[name] = row | {
            "times_faster": row["none"]["seconds"] / row["cells"]["seconds"],
            "labels_equal": float((labels["cells"] == labels["none"]).double().mean()),
        }
        print(name, found[name], flush=True)
    graph = graphs[LabelSpreading.weigh, LabelSpreading.build_graph]
    others = {"scikit-learn LabelSpreading": theirs(graph, y)}
    others["GraphLearning Poisson"] = graphlearning_poisson(graphs[Poisson.weigh, Poisson.build_graph], y)
    print(others, flush=True)
    return found | others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=100_000)
    parser.add_argument("--data", type=Path, help="folder with mnist/ and fashion_mnist/")
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    made, problems = provenance(), {}
    for name, make in (("overlapping", overlapping_clusters), ("fine", fine_clusters)):
        X, truth = make(options.n, CLASSES)
        problems[f"{name}, n = {options.n:,}, {CLASSES} classes"] = X, draw_seeds(truth, PER_CLASS), CLASSES
    for name in ("mnist", "fashion_mnist") if options.data else ():
        X, truth = images(options.data / name)
        problems[f"{name}, n = {len(X):,}, 10 classes"] = X, draw_seeds(truth, PER_CLASS), 10
    content: dict[str, Any] = {}
    for name, (X, y, n_classes) in problems.items():
        print(name, flush=True)
        content[name] = compared(X, y, n_classes, options.repetitions)
        save("solvers", made | content)


if __name__ == "__main__":
    main()
