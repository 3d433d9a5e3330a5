"""The demo's three accuracies for five seeds, and how long it takes.

python benchmarks/demo_seeds.py
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from common import provenance, save
from labelprop.bench.demo import run_demo
from labelprop.runs.requests import DemoRequest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/bench-demo"))
    options = parser.parse_args()
    made = provenance()  # before the work: the commit may move while it runs
    rows = []
    for seed in range(options.seeds):
        began = time.perf_counter()
        metrics = run_demo(DemoRequest(out=options.out / "demo", seed=seed)).metrics
        rows.append(
            {
                "seed": seed,
                "dlp": metrics["unlabeled"]["accuracy"],
                "labels_only": metrics["baseline"]["unlabeled"],
                "raw_pixels": metrics["propagation_only"]["unlabeled"],
                "seconds": round(time.perf_counter() - began, 1),
                "peak_memory_bytes": metrics["peak_memory_bytes"],
            }
        )
        print(rows[-1], flush=True)
    means = {key: round(statistics.mean(row[key] for row in rows), 4) for key in ("dlp", "labels_only", "raw_pixels")}
    print(means)
    print(save("demo_seeds", made | {"mean": means, "runs": rows}))


if __name__ == "__main__":
    main()
