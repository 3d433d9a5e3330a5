"""Speed and memory of propagation on overlapping clusters.

Each part writes benchmarks/results/propagation_PART.json (scaling also two SVG charts); run them on a quiet machine.

    python benchmarks/propagation.py compare    Diffusion against the released pipeline, interleaved, n = 50,000
    python benchmarks/propagation.py million    n = 1,000,000 and 1,000 classes: Diffusion, to 1e-6 and 1e-3, on
                                                overlapping classes and on fine clusters; LocalPropagation
    python benchmarks/propagation.py scaling    seconds against n and against the number of classes
    python benchmarks/propagation.py warm       a second fit with seeds added to a tenth of the classes
    python benchmarks/propagation.py auto       AutoPropagation at n = 10,000, d = 400, 150 classes

The OpenBLAS inside faiss does not know every processor and then falls back to a kernel of 2003, which makes the
reference's search three times slower. `--blas SkylakeX` names the kernel to use and adds it to the file's name.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from common import RESULTS, provenance, save
from labelprop.propagators.auto import AutoPropagation
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.local_propagation import LocalPropagation
from log_plot import slope, write_log_log
from overlapping import draw_seeds, fine_clusters, nearest_neighbor_accuracy, overlapping_clusters
from reference_diffusion import reference_diffusion

STAGE = re.compile(r"^\w+ (\w+): .*\(([\d.]+) s\)$", re.MULTILINE)


def staged(estimator: Any, vectors: np.ndarray, y: np.ndarray) -> tuple[Any, dict[str, float]]:
    """The fitted estimator, and the seconds of its stages and of the whole."""
    said, started = io.StringIO(), time.perf_counter()
    with contextlib.redirect_stderr(said):
        estimator.set_params(verbose=True).fit(vectors, y)
    total = time.perf_counter() - started
    return estimator, {name: float(seconds) for name, seconds in STAGE.findall(said.getvalue())} | {"total": total}


def peak_bytes() -> int:
    """Largest resident memory of this process so far. `ru_maxrss` will not do: a child starts with its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


def in_own_process(job: str, **settings: Any) -> dict[str, Any]:
    """What JOBS[job] returns, run in a fresh process, with its peak memory; or its error."""
    command = [sys.executable, __file__, "job", "--job", job, "--settings", json.dumps(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def problem(
    n: int, n_classes: int, per_class: int, clusters: str = "overlapping"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    vectors, truth = {"overlapping": overlapping_clusters, "fine": fine_clusters}[clusters](n, n_classes)
    return vectors, truth, draw_seeds(truth, per_class)


def job_diffusion(
    n: int, n_classes: int, per_class: int, clusters: str = "overlapping", tol: float = 1e-6
) -> dict[str, Any]:
    vectors, truth, y = problem(n, n_classes, per_class, clusters)
    return _outcome(Diffusion(tol=tol), vectors, truth, y)


def job_local(n: int, n_classes: int, per_class: int) -> dict[str, Any]:
    vectors, truth, y = problem(n, n_classes, per_class)
    return _outcome(LocalPropagation(), vectors, truth, y)


def job_reference(n: int, n_classes: int, per_class: int) -> dict[str, Any]:
    vectors, _, y = problem(n, n_classes, per_class)
    before = peak_bytes()
    _, seconds = reference_diffusion(vectors, y, n_classes)
    return {"seconds": seconds, "peak_bytes": peak_bytes(), "peak_bytes_of_data": before}


def job_scikit_learn(n: int, n_classes: int, per_class: int, kernel: str) -> dict[str, Any]:
    from sklearn.semi_supervised import LabelSpreading

    vectors, _, y = problem(n, n_classes, per_class)
    started = time.perf_counter()
    LabelSpreading(kernel=kernel, n_neighbors=50, alpha=0.99, n_jobs=-1).fit(vectors, y)
    return {"seconds": {"total": time.perf_counter() - started}, "peak_bytes": peak_bytes()}


MILLION: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"diffusion tol={tol:g}, {clusters}": ("diffusion", {"clusters": clusters, "tol": tol})
        for tol in (1e-3, 1e-6)
        for clusters in ("overlapping", "fine")
    },
    "local": ("local", {}),
    "scikit-learn rbf": ("scikit-learn", {"kernel": "rbf"}),
}

JOBS: dict[str, Callable[..., dict[str, Any]]] = {
    "diffusion": job_diffusion,
    "local": job_local,
    "reference": job_reference,
    "scikit-learn": job_scikit_learn,
}


def _outcome(estimator: Any, vectors: np.ndarray, truth: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    before = peak_bytes()
    found, seconds = staged(estimator, vectors, y)
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(),
        "peak_bytes_of_data": before,
        "accuracy": float((found.transduction_ == truth)[y < 0].mean()),
        "reached": float(found.reached_.mean()),
        "recall": found.recall_,
        "residual": found.residual_,
        "steps": found.n_iter_,
        "n_edges": found.graph_.n_edges,
    }


def compare(options: argparse.Namespace) -> dict[str, Any]:
    n, n_classes, per_class = options.n or 50_000, 100, 10
    vectors, truth, y = problem(n, n_classes, per_class)
    rounds: list[dict[str, Any]] = []
    for _ in range(options.rounds):
        started = time.perf_counter()
        theirs, stages = reference_diffusion(vectors, y, n_classes)
        middle = time.perf_counter()
        found, own_stages = staged(Diffusion(), vectors, y)
        own = time.perf_counter()
        rough, rough_stages = staged(Diffusion(tol=1e-3), vectors, y)
        rounds.append(
            {
                "reference": stages | {"total": middle - started},
                "diffusion": own_stages | {"total": own - middle},
                "diffusion tol=1e-3": rough_stages | {"total": time.perf_counter() - own},
            }
        )
        print({name: round(part["total"], 2) for name, part in rounds[-1].items()}, flush=True)
    hidden = y < 0
    medians = {
        name: {stage: statistics.median(r[name][stage] for r in rounds) for stage in rounds[0][name]}
        for name in rounds[0]
    }
    size = {"n": n, "n_classes": n_classes, "per_class": per_class}
    return {
        "size": size
        | {"dim": vectors.shape[1], "nearest_neighbor_accuracy": nearest_neighbor_accuracy(vectors, truth)},
        "medians_seconds": medians,
        "times_faster": {name: medians["reference"]["total"] / part["total"] for name, part in medians.items()},
        "steps": {"diffusion": found.n_iter_, "diffusion tol=1e-3": rough.n_iter_},
        "agreement": float((found.transduction_ == theirs)[hidden].mean()),
        "agreement of tol=1e-3": float((rough.transduction_ == theirs)[hidden].mean()),
        "accuracy": {
            "reference": float((theirs == truth)[hidden].mean()),
            "diffusion": float((found.transduction_ == truth)[hidden].mean()),
        },
        "recall": found.recall_,
        "faiss_blas": [blas["architecture"] for blas in threadpool_info() if "faiss" in blas["filepath"]],
        "peak_bytes": {name: in_own_process(name, **size).get("peak_bytes") for name in ("reference", "diffusion")},
        "rounds": rounds,
    }


def million(options: argparse.Namespace) -> dict[str, Any]:
    """The cells asked for beside those that were saved before, each with its commit: all take half an hour."""
    size: dict[str, Any] = {"n": options.n or 1_000_000, "n_classes": 1000, "per_class": 10}
    result: dict[str, Any] = {"size": size, "nearest_neighbor_accuracy": {}}
    path = RESULTS / "propagation_million.json"
    saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    result |= {name: part for name, part in saved.items() if saved["size"] == size and name not in provenance()}
    for cell in options.cells or MILLION:
        clusters = cell.partition(", ")[2]
        job, settings = MILLION[cell]
        result[cell] = {"commit": provenance()["commit"]} | in_own_process(job, **size, **settings)
        print(cell, json.dumps(result[cell]), flush=True)
        if clusters and clusters not in result["nearest_neighbor_accuracy"]:
            vectors, truth, _ = problem(**size, clusters=clusters)
            result["nearest_neighbor_accuracy"][clusters] = nearest_neighbor_accuracy(vectors, truth)
            del vectors
        save("propagation_million", provenance() | result)
    return result


def scaling(options: argparse.Namespace) -> dict[str, Any]:
    sizes = [n for n in (50_000, 100_000, 200_000, 500_000, 1_000_000) if n <= (options.n or 1_000_000)]
    result: dict[str, Any] = {"against_n": [], "against_n_100_classes": [], "against_classes": []}
    for name, n_classes in (("against_n", 1000), ("against_n_100_classes", 100)):
        for n in sizes:
            result[name].append({"n": n} | in_own_process("diffusion", n=n, n_classes=n_classes, per_class=10))
            print(name, result[name][-1], flush=True)
    for n_classes in (10, 30, 100, 300, 1000):
        cell = in_own_process("diffusion", n=100_000, n_classes=n_classes, per_class=10)
        result["against_classes"].append({"n_classes": n_classes} | cell)
        print(result["against_classes"][-1], flush=True)
    for name, key, label, fixed in (
        ("against_n", "n", "vectors", "1,000 classes"),
        ("against_n_100_classes", "n", "vectors", "100 classes"),
        ("against_classes", "n_classes", "classes", "n = 100,000"),
    ):
        lines = {
            stage: [(cell[key], cell["seconds"][stage]) for cell in result[name]]
            for stage in ("total", "search", "graph", "propagation")
        }
        result[f"slopes_{name}"] = {stage: slope(points) for stage, points in lines.items()}
        chart = RESULTS / f"propagation_{name}.svg"
        write_log_log(chart, f"Diffusion, 128 dimensions, {fixed}", label, "seconds", lines)
    return result


def warm(options: argparse.Namespace) -> dict[str, Any]:
    n, n_classes = options.n or 200_000, 200
    vectors, truth, y = problem(n, n_classes, 10)
    more = y.copy()
    for label in range(n_classes // 10):
        more[np.flatnonzero((truth == label) & (y < 0))[:5]] = label
    runs = []
    for _ in range(options.rounds):
        estimator, first = staged(Diffusion(warm_start=True), vectors, y)
        estimator, second = staged(estimator, vectors, more)
        runs.append({"first": first["total"], "second": second["total"], "share": second["total"] / first["total"]})
        print(runs[-1], flush=True)
    fresh = Diffusion().fit(vectors, more)
    gap = np.abs(estimator.scores_ - fresh.scores_).max() / np.abs(fresh.scores_).max()
    return {
        "size": {"n": n, "n_classes": n_classes, "classes_changed": n_classes // 10},
        "median_share_of_first_fit": statistics.median(run["share"] for run in runs),
        "largest_gap_to_fresh_fit": float(gap),
        "labels_equal": bool((estimator.transduction_ == fresh.transduction_).all()),
        "rounds": runs,
    }


def auto(options: argparse.Namespace) -> dict[str, Any]:
    n, n_classes = options.n or 10_000, 150
    vectors, truth = overlapping_clusters(n, n_classes, dim=400)
    result: dict[str, Any] = {"size": {"n": n, "dim": 400, "n_classes": n_classes}}
    for name, per_class in (("fixed_order", 1), ("cross_validation", 5)):
        y, seconds = draw_seeds(truth, per_class), []
        for _ in range(options.rounds):
            started = time.perf_counter()
            found = AutoPropagation().fit(vectors, y)
            seconds.append(round(time.perf_counter() - started, 2))
        result[name] = {
            "per_class": per_class,
            "median_seconds": statistics.median(seconds),
            "seconds": seconds,
            "reason": found.reason_,
            "accuracy": float((found.transduction_ == truth)[y < 0].mean()),
        }
        print(name, result[name], flush=True)
    return result


PARTS = {"compare": compare, "million": million, "scaling": scaling, "warm": warm, "auto": auto}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*PARTS, "job"])
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of which the median counts")
    parser.add_argument("--n", type=int, help="another number of vectors")
    parser.add_argument("--cells", nargs="+", choices=list(MILLION), help="of `million`; the others stay as saved")
    parser.add_argument("--blas", help="OpenBLAS kernel for faiss and NumPy, such as SkylakeX or Haswell")
    parser.add_argument("--job", choices=list(JOBS), help=argparse.SUPPRESS)
    parser.add_argument("--settings", type=json.loads, default={}, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part == "job":
        print(json.dumps(JOBS[options.job](**options.settings)))
        return
    if options.blas and os.environ.get("OPENBLAS_CORETYPE") != options.blas:  # read when the library is loaded
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"OPENBLAS_CORETYPE": options.blas})
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as the command line does; processes of jobs inherit it
    made = provenance()  # before the work: the commit may move while it runs
    name = f"propagation_{options.part}" + (f"_{options.blas.lower()}" if options.blas else "")
    print(save(name, made | PARTS[options.part](options)))


if __name__ == "__main__":
    main()
