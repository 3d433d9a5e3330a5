"""Approximate nearest neighbors: faiss inverted lists, probed as widely as a stated recall needs.

The index scans the lists nearest to a query. How many (the probe count) is doubled until `RECALL` of the true
neighbors of a sample is found; the recall reported is then measured on other rows. Where a quarter of all lists
would have to be scanned, matrix products over everything are quicker, and the exact search is run instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from labelprop.errors import RequestError
from labelprop.neighbors import exact
from labelprop.neighbors.rows import Rows, SparseRows, spans
from labelprop.types import Neighbors

if TYPE_CHECKING:
    import faiss

RECALL = 0.98
SAMPLE = 400  # rows to choose the probe count on, and as many again to measure the recall on
TRAINING_ROWS_A_LIST = 64
FIRST_PROBES = 4


def search(rows: Rows, k: int, *, queries: Rows | None = None, exclude_self: bool = True, seed: int = 0) -> Neighbors:
    """The k nearest of `rows` for each query as found in inverted lists; `recall` is measured, not promised.

    The index holds one float32 copy of the rows in main memory; float64 rows get their similarities from float64.
    Rows for which the lists hold fewer than k neighbors are searched exactly. Among equal similarities at the
    k-th place the scan order decides (always the same for the same input), elsewhere the lower index.
    Raises RequestError for sparse rows.
    """
    if isinstance(rows, SparseRows) or isinstance(queries, SparseRows):
        raise RequestError(
            "search='approximate' works on dense vectors, not on sparse ones. Use search='exact', or reduce the "
            "columns first, e.g. with sklearn.decomposition.TruncatedSVD."
        )
    looked_up = rows if queries is None else queries
    k = min(k, rows.n - exclude_self)
    sample = torch.from_numpy(np.random.default_rng(seed).permutation(looked_up.n)[: 2 * SAMPLE])
    tuning, held_back = _Sample(rows, looked_up, k, sample[::2], exclude_self), sample[1::2]
    index = _build(rows, seed)
    if k == 0 or not _tune(index, rows, tuning):
        return exact.search(rows, k, queries=queries, exclude_self=exclude_self, seed=seed)
    indices_NK = torch.empty(looked_up.n, k, dtype=torch.int64, device=rows.device)
    similarities_NK = torch.empty(looked_up.n, k, dtype=rows.dtype, device=rows.device)
    for start, stop in spans(looked_up.n, rows.dim + 4 * k):
        self_B = torch.arange(start, stop, device=rows.device) if exclude_self else None
        found = _scan(index, rows, looked_up.read(start, stop), k, self_B)
        similarities_NK[start:stop], indices_NK[start:stop] = found
    truth = _Sample(rows, looked_up, k, held_back if len(held_back) else sample, exclude_self)
    return Neighbors(indices_NK, similarities_NK, recall=truth.recall(similarities_NK[truth.places_S]))


class _Sample:
    """Some queries and the similarity of their true k-th neighbor."""

    def __init__(self, rows: Rows, looked_up: Rows, k: int, places_S: torch.Tensor, exclude_self: bool) -> None:
        self.places_S, self.k = places_S.to(rows.device), k
        self.block = looked_up.take(places_S)
        self.self_S = self.places_S if exclude_self else None
        values_SK, _ = exact.candidates(rows, self.block, k, self.self_S)
        self._last_S1 = values_SK[:, -1:] - exact.rounding(rows)

    def recall(self, found_SK: torch.Tensor) -> float:
        """Share of places filled with a neighbor as similar as a true one; equal ones count, whichever was found."""
        return float((found_SK >= self._last_S1).double().mean())


def _build(rows: Rows, seed: int) -> faiss.IndexIVFFlat:
    """Inverted lists around about sqrt(N) centers; faiss uses as many threads as torch."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    n_lists = max(1, int(rows.n**0.5))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.dim), rows.dim, n_lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.spherical = seed, 8, True
    index.cp.min_points_per_centroid = 1  # no warnings about small sets on stderr
    chosen = np.random.default_rng(seed).permutation(rows.n)[: n_lists * TRAINING_ROWS_A_LIST]
    index.train(_plain(rows.take(torch.from_numpy(np.sort(chosen)).to(rows.device))))
    for start, stop in spans(rows.n, rows.dim):
        index.add(_plain(rows.read(start, stop)))
    return index


def _tune(index: faiss.IndexIVFFlat, rows: Rows, sample: _Sample) -> bool:
    """Sets the smallest probe count (4, 8, 16, ...) that reaches `RECALL`; False where it takes too many."""
    probes = FIRST_PROBES
    while probes <= index.nlist / 4:
        index.nprobe = probes
        values_SK, _ = _scan(index, rows, sample.block, sample.k, sample.self_S)
        if sample.recall(values_SK) >= RECALL:
            return True
        probes *= 2
    return False


def _scan(
    index: faiss.IndexIVFFlat, rows: Rows, block: torch.Tensor, k: int, self_B: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarities (B, k) and indices (B, k) from the lists, best first; short rows are filled by exact search."""
    width = k + (self_B is not None)
    values, indices = index.search(_plain(block), width)
    values_BW = torch.from_numpy(values).to(rows.device, rows.dtype)
    indices_BW = torch.from_numpy(indices).to(rows.device)
    if self_B is not None:
        values_BW = values_BW.masked_fill(indices_BW == self_B[:, None], -torch.inf)
    short_B = (values_BW == -torch.inf) | (indices_BW < 0)
    short_B = short_B.sum(dim=1) > width - k
    if rows.dtype == torch.float64:
        exact_BW = rows.pairs(block, indices_BW.clamp_min(0))
        values_BW = torch.where(values_BW == -torch.inf, values_BW, exact_BW)
    values_BW, indices_BW = exact.order(values_BW, indices_BW)
    values_BK, indices_BK = values_BW[:, :k].clamp(-1, 1), indices_BW[:, :k]
    short = short_B.nonzero().squeeze(1)
    if len(short):
        places = None if self_B is None else self_B[short]
        values_BK[short], indices_BK[short] = exact.candidates(rows, block[short], k, places)
    return values_BK, indices_BK


def _plain(block: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(block.float().cpu().numpy())
