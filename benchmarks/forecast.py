"""What `labelprop propagate` says it will take against what it takes: peak memory and seconds, a process a cell.

Overlapping clusters, ten labels a class. Memory is the process's own (without pages of the mapped file),
looked at every few milliseconds while the propagator runs; the ratio is of all it holds then. Seconds are those of
the propagator, after one on a few rows that loads the libraries.

    python benchmarks/forecast.py [--methods diffusion,poisson] [--quick]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from common import provenance, save
from labelprop.core import registry
from labelprop.core.memory import held_bytes
from labelprop.core.progress import Silent
from labelprop.runs.propagate import propagate
from labelprop.runs.requests import PropagateRequest
from overlapping import draw_seeds, overlapping_clusters

SIZES = [(5_000, 64, 10), (20_000, 384, 50), (50_000, 128, 100), (50_000, 64, 2), (200_000, 64, 20)]
LARGE = [(1_000_000, 128, 1_000)]
QUICK = SIZES[:2]
PER_CLASS = 10
EVERY = 0.005


def write_problem(folder: Path, n: int, d: int, n_classes: int) -> None:
    """X.npy and y.npy."""
    vectors, truth = overlapping_clusters(n, n_classes, d)
    np.save(folder / "X.npy", vectors)
    np.save(folder / "y.npy", draw_seeds(truth, PER_CLASS))


@contextmanager
def watched(peak: list[int]) -> Iterator[None]:
    """Appends what was held before, and the most memory held inside."""
    before, most, over = held_bytes(), [0], threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            most[0] = max(most[0], held_bytes())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        peak += [before, max(most[0], held_bytes())]


class Noted(Silent):
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def run_cell(folder: Path, method: str) -> dict[str, Any]:
    """One propagation in this process: the forecast and what it took."""
    peak: list[int] = []
    estimator = registry.lookup("propagators", method).load()
    fit = estimator.fit
    estimator().fit(np.eye(12, 4) + 1, np.where(np.arange(12) < 4, np.arange(12) % 2, -1))

    def watched_fit(*arguments: Any, **options: Any) -> Any:
        with watched(peak):
            began = time.perf_counter()
            found = fit(*arguments, **options)
            seconds.append(time.perf_counter() - began)
            return found

    seconds: list[float] = []
    estimator.fit = watched_fit
    request = PropagateRequest(
        data=str(folder / "X.npy"),
        labels=str(folder / "y.npy"),
        method=method,
        out=folder / f"run-{method}",
        baselines=False,
        device="cpu",
        reporter=(noted := Noted()),
    )
    propagate(request)
    plan = json.loads((request.out / "run.json").read_text())["plan"]
    before, most = peak
    seconds_ahead = sum(value for name, value in plan["seconds"].items() if name not in ("baselines", "report"))
    return {
        "held_before_bytes": before,
        "forecast_bytes": before + plan["more_memory_bytes"],
        "bytes": most,
        "memory_ratio": round((before + plan["more_memory_bytes"]) / most, 2),
        "forecast_seconds": {name: round(value, 2) for name, value in plan["seconds"].items()},
        "seconds": round(seconds[0], 2),
        "stages": [line for line in noted.lines if line.endswith(" s)") and not line.startswith("plan")],
        "time_ratio": round(seconds_ahead / seconds[0], 2),
    }


def tell(row: dict[str, Any]) -> None:
    print(
        f"{row['method']:<18} n {row['n']:>7,} d {row['d']:>4} C {row['classes']:>4}: "
        f"{row['bytes'] / 1e6:>6.0f} MB ({row['held_before_bytes'] / 1e6:.0f} before), forecast x "
        f"{row['memory_ratio']:.2f}; {row['seconds']:>6.1f} s, forecast x {row['time_ratio']:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", default=",".join(registry.entries("propagators")))
    parser.add_argument("--quick", action="store_true", help="the two smallest sizes")
    parser.add_argument("--large", action="store_true", help="also a million rows and a thousand classes")
    parser.add_argument("--cell", nargs=2, metavar=("FOLDER", "METHOD"), help="one cell, for the processes it starts")
    options = parser.parse_args()
    if options.cell:
        print(json.dumps(run_cell(Path(options.cell[0]), options.cell[1])))
        return
    rows = []
    for n, d, n_classes in QUICK if options.quick else SIZES + LARGE * options.large:
        with tempfile.TemporaryDirectory() as folder:
            write_problem(Path(folder), n, d, n_classes)
            for method in options.methods.split(","):
                command = [sys.executable, __file__, "--cell", folder, method]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                size = {"method": method, "n": n, "d": d, "classes": n_classes}
                rows.append(size | json.loads(done.stdout.splitlines()[-1]))
                tell(rows[-1])
    save("forecast", {"provenance": provenance(), "rows": rows})


if __name__ == "__main__":
    main()
