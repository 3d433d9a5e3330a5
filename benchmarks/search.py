"""The approximate neighbor search: seconds, CPU seconds, recall and peak memory, beside faiss at a like recall.

The 50 nearest rows by cosine of every row; overlapping clusters in 128 dimensions, 100 classes, and with `--data` the
pixels of two sets and unit vectors in 1,000 tight clusters. Each search runs in a process of its own, in turns. faiss
looks into as many lists as find 98% (on 500 rows, outside the time). Recall is measured on 2,000 other rows.

    python benchmarks/search.py [--data DIR] [--rounds 3] [--sizes 50000,100000]
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import provenance, save
from overlapping import overlapping_clusters
from propagation import peak_bytes

K, WANTED = 50, 0.98
ALL = ("labelprop", "faiss IVF", "faiss IVF, 4-bit codes re-ranked")
PROBES = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def vectors(name: str, n: int, data: str | None) -> np.ndarray:
    """Unit vectors (n, D), float32."""
    if name == "overlapping":
        found = overlapping_clusters(n, 100)[0]
    elif name == "tight clusters":
        rng = np.random.default_rng(0)
        found = rng.normal(size=(1000, 128))[rng.integers(1000, size=n)] + 0.1 * rng.normal(size=(n, 128))
    else:
        import pyarrow.parquet as pq
        from PIL import Image

        column = pq.read_table(Path(str(data)) / name / "train.parquet", columns=["image"])["image"]
        pixels = (np.asarray(Image.open(io.BytesIO(item["bytes"])), np.float32) for item in column.to_pylist()[:n])
        found = np.stack([picture.ravel() for picture in pixels])
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def last_true(unit: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The similarity of the K-th nearest of these rows (M, 1)."""
    found = []
    for part in np.array_split(rows, max(1, len(rows) // 250)):
        products = unit[part] @ unit.T
        products[np.arange(len(part)), part] = -np.inf
        found.append(np.partition(products, -K, axis=1)[:, -K])
    return np.concatenate(found)[:, None]


def ours(unit: np.ndarray, _: np.ndarray) -> Callable[[], np.ndarray]:
    from labelprop.graph.neighbors import nearest

    nearest(unit[:30_000], K, search="approximate")  # loads what is loaded once

    def search() -> np.ndarray:
        return nearest(unit, K, search="approximate").similarities_NK.numpy()

    return search


def faiss_ivf(unit: np.ndarray, tried: np.ndarray, coded: bool = False) -> Callable[[], np.ndarray]:
    import faiss

    lists = f"IVF{int(4 * len(unit) ** 0.5)}"
    kind = f"{lists},PQ{unit.shape[1] // 2}x4fs,RFlat" if coded else f"{lists},Flat"

    def built() -> Any:
        index = faiss.index_factory(unit.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
        index.train(unit)
        index.add(unit)
        return index

    def search(index: Any, queries: np.ndarray, probes: int) -> np.ndarray:
        settings = f"nprobe={probes}" + (",k_factor_rf=4" if coded else "")
        faiss.ParameterSpace().set_index_parameters(index, settings)
        return np.asarray(index.search(queries, K + 1)[0][:, 1:])

    last, trial = last_true(unit, tried), built()
    recalls = ((probes, (search(trial, unit[tried], probes) >= last - 1e-5).mean()) for probes in PROBES)
    enough = next((probes for probes, recall in recalls if recall >= WANTED), PROBES[-1])
    del trial
    return lambda: search(built(), unit, enough)


def job(kind: str, name: str, n: int, data: str | None) -> dict[str, float]:
    unit = vectors(name, n, data)
    drawn = np.random.default_rng(5).permutation(n)
    prepared = {
        ALL[0]: ours,
        ALL[1]: faiss_ivf,
        ALL[2]: lambda *given: faiss_ivf(*given, coded=True),
    }[kind](unit, drawn[:500])
    Path("/proc/self/clear_refs").write_text("5")  # peak memory from here on
    started, busy = time.perf_counter(), time.process_time()
    found = prepared()
    seconds, cpu, peak = time.perf_counter() - started, time.process_time() - busy, peak_bytes()
    rows = drawn[500:2500]
    recall = float((found[rows] >= last_true(unit, rows) - 1e-5).mean())
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_bytes": peak, "recall": recall}


def in_own_process(*given: Any) -> dict[str, float]:
    command = [sys.executable, __file__, "--job", json.dumps(given)]
    return dict(
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="folder that holds mnist/ and fashion_mnist/")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sizes", default="50000,100000")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(job(*json.loads(options.job))))
        return
    cells = [("overlapping", int(n), kind) for n in options.sizes.split(",") for kind in ALL]
    if options.data:
        cells += [(name, 60_000, ALL[0]) for name in ("mnist", "fashion_mnist", "tight clusters")]
    rounds: dict[tuple[str, int, str], list[dict[str, float]]] = {cell: [] for cell in cells}
    for _ in range(options.rounds):
        for name, n, kind in cells:
            rounds[name, n, kind].append(in_own_process(kind, name, n, options.data))
            print(
                name, n, kind, {key: round(value, 4) for key, value in rounds[name, n, kind][-1].items()}, flush=True
            )
    rows = [
        {"vectors": name, "n": n, "search": kind}
        | {key: statistics.median(one[key] for one in found) for key in found[0]}
        | {"rounds": found}
        for (name, n, kind), found in rounds.items()
    ]
    print("wrote", save("search", provenance() | {"k": K, "medians": rows}).name)


if __name__ == "__main__":
    main()
