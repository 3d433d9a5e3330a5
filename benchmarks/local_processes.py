"""LocalPropagation over P local processes, one thread each: time against P, and whether the answers are equal.

Clustered vectors that overlap, exact search: the paper's cost is O(N M / P). Seconds are wall time with everything:
starting the processes, reading the vectors from a file, exchanging densities, collecting votes. The rounds take the
process counts in turn, so that a busy machine slows them all alike; medians count.

    python benchmarks/local_processes.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from common import provenance, save
from labelprop.graph.seeds import Seeds
from labelprop.propagators.local_over_processes import propagate_over_processes
from labelprop.propagators.local_propagation import LocalPropagation
from overlapping import draw_seeds, overlapping_clusters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300_000, help="vectors")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--per-class", type=int, default=10, help="seeds of each class")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2], help="process counts to compare")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of which the median counts")
    options = parser.parse_args()
    made = provenance()
    vectors, truth = overlapping_clusters(options.n, options.classes)
    y = draw_seeds(truth, options.per_class)
    seeds, unlabeled = Seeds.hard(torch.from_numpy(y), options.classes), y < 0
    alone = LocalPropagation(search="exact").spread(vectors, seeds).labels_N.numpy()
    seconds: dict[int, list[float]] = {processes: [] for processes in options.processes}
    agreement: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, vectors)
        del vectors
        for _ in range(options.rounds):
            for processes in options.processes:
                began = time.perf_counter()
                found = propagate_over_processes(path, seeds, n_processes=processes).labels_N.numpy()
                seconds[processes].append(time.perf_counter() - began)
                agreement[processes] = float((found == alone).mean())
    first = statistics.median(seconds[options.processes[0]])
    rows = []
    for processes, times in seconds.items():
        median = statistics.median(times)
        speedup = first / median * options.processes[0]
        rows.append(
            {
                "processes": processes,
                "seconds": round(median, 2),
                "all_seconds": [round(value, 2) for value in times],
                "speedup": round(speedup, 2),
                "equal_to_one_process": agreement[processes],
            }
        )
        print(f"P = {processes}: {median:.1f} s, {speedup:.2f} times one, {agreement[processes]:.4%} of labels equal")
    accuracy = float((alone == truth)[unlabeled].mean())
    problem = {"n": options.n, "dim": 128, "classes": options.classes, "seeds": int((~unlabeled).sum())}
    print(save("local_processes", made | {"problem": problem, "accuracy": round(accuracy, 4), "runs": rows}))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    main()
