"""How fast this machine multiplies dense and sparse matrices, from a trial of under 0.2 seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy import sparse

from labelprop.graph.affinity import AffinityGraph

TRIAL_SECONDS = 0.08  # each
ROWS, INNER, COLUMNS = 512, 128, 1024  # of the dense product
NODES, DEGREE, CLASSES = 10_000, 20, 32  # of the sparse one


@dataclass(frozen=True, slots=True)
class Pace:
    """Operations that this machine does in a second; see `Stage`."""

    products: float
    passes: float


@cache
def measured_pace(device: str = "cpu") -> Pace:
    """Times a small dense and a small sparse product on a device, under 0.2 s together."""
    left, right = torch.ones(ROWS, INNER, device=device), torch.ones(INNER, COLUMNS, device=device)
    places_E = np.random.default_rng(0).integers(NODES, size=NODES * DEGREE)
    parts = (np.ones(len(places_E), np.float32), places_E, np.arange(0, len(places_E) + 1, DEGREE))
    graph = AffinityGraph.from_scipy(sparse.csr_array(parts, shape=(NODES, NODES))).to(device)
    block = torch.ones(NODES, CLASSES, device=device)
    dense, thin = _seconds(lambda: left @ right), _seconds(lambda: graph.matmul(block))
    return Pace(products=2 * ROWS * INNER * COLUMNS / dense, passes=NODES * DEGREE * CLASSES / thin)


def _seconds(work: Callable[[], Any]) -> float:
    """The mean time of a few runs: on a busy machine, what is left of it."""
    work()
    began, runs = time.perf_counter(), 0
    while not runs or time.perf_counter() - began < TRIAL_SECONDS:
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        runs += 1
    return (time.perf_counter() - began) / runs
