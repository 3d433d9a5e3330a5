"""An order of rows by a hash of what they hold, so that what is drawn from them does not depend on their places."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from labelprop.graph.neighbors.rounding import spans
from labelprop.propagators.estimator.edges import Edges

BLOCK_ELEMENTS = 1 << 22


def content_keys(given: Any) -> np.ndarray:
    """A number (N,), uint64, for each row of features (dense or CSR), or of a graph; equal rows have equal numbers.

    Of a row of a graph the values count alone, since its columns are places.
    """
    if isinstance(given, Edges):
        sums_N = np.asarray(given.values.astype(np.float64).sum(axis=1)).ravel()
        most_N = np.asarray(given.values.max(axis=1).todense()).ravel().astype(np.float64)
        return _mixed(_bits(sums_N) * np.uint64(3) + _bits(most_N))
    n, d = int(given.shape[0]), int(given.shape[1])
    stored = d if not hasattr(given, "nnz") else max(int(given.nnz) // max(n, 1), 1)
    return np.concatenate([_of_block(given[start:stop]) for start, stop in spans(n, stored, BLOCK_ELEMENTS)])


def _of_block(block: Any) -> np.ndarray:
    if hasattr(block, "tocsr"):
        csr = block.tocsr()
        csr.sum_duplicates()
        terms_E = _mixed(csr.indices.astype(np.uint64)) * _bits(csr.data)
        ends = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms_E, dtype=np.uint64)])
        return _mixed(ends[csr.indptr[1:]] - ends[csr.indptr[:-1]])
    values = block.detach().cpu().float().numpy() if isinstance(block, torch.Tensor) else np.asarray(block)
    weights_D = _mixed(np.arange(values.shape[1], dtype=np.uint64))
    return _mixed((_bits(values) * weights_D).sum(axis=1, dtype=np.uint64))


def _bits(values: np.ndarray) -> np.ndarray:
    """The bits of numbers in float32, plus 0.0 so that -0 is 0; 0 for 0."""
    exact = np.asarray(values, dtype=np.float32) + np.float32(0)
    return np.ascontiguousarray(exact).view(np.uint32).astype(np.uint64)


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """Numbers whose bits all depend on all bits of these (splitmix64: Steele, Lea, Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        numbers = numbers.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: np.ndarray = numbers ^ (numbers >> np.uint64(31))
        return mixed
