"""How fast this machine is at what propagation does, from a trial of a tenth of a second or two."""

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


@dataclass(frozen=True, slots=True)
class Pace:
    """What this machine does in a second."""

    products: float
    passes: float


@cache
def measured_pace(device: str = "cpu") -> Pace:
    """Times a small dense and a small sparse product on a device, under 0.2 s together."""
    left, right = torch.ones(512, 128, device=device), torch.ones(128, 1024, device=device)
    n, columns, each = 10_000, 32, 20
    places = np.random.default_rng(0).integers(n, size=n * each)
    crow = np.arange(0, n * each + 1, each)
    weights = AffinityGraph.from_scipy(sparse.csr_array((np.ones(n * each, np.float32), places, crow), shape=(n, n)))
    weights = weights.to(device)
    block = torch.ones(n, columns, device=device)
    return Pace(
        products=2 * 512 * 128 * 1024 / _seconds(lambda: left @ right),
        passes=n * each * columns / _seconds(lambda: weights.matmul(block)),
    )


def _seconds(work: Callable[[], Any], allowed: float = TRIAL_SECONDS) -> float:
    """The least time of a few runs."""
    work()
    began, least = time.perf_counter(), float("inf")
    while time.perf_counter() - began < allowed:
        started = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        least = min(least, time.perf_counter() - started)
    return least
