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
from labelprop.neighbors.rows import Rows, spans
from labelprop.neighbors.sparse_rows import SparseRows
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
    usable = (~looked_up.zero_N).nonzero().squeeze(1).cpu()
    sample = usable[np.random.default_rng(seed).permutation(len(usable))[: 2 * SAMPLE]].to(rows.device)
    lists = _Lists(rows, k, exclude_self, seed) if k and len(sample) and not bool(rows.zero_N.all()) else None
    if lists is None or not lists.tune(_Sample(lists, looked_up, sample[::2])):
        return exact.search(rows, k, queries=queries, exclude_self=exclude_self, seed=seed)
    indices_NK = torch.empty(looked_up.n, k, dtype=torch.int64, device=rows.device)
    similarities_NK = torch.empty(looked_up.n, k, dtype=rows.dtype, device=rows.device)
    for start, stop in spans(looked_up.n, rows.dim + 4 * k):
        places_B = torch.arange(start, stop, device=rows.device)
        found = lists.scan(looked_up.read(start, stop), places_B, looked_up.zero_N[start:stop])
        similarities_NK[start:stop], indices_NK[start:stop] = found
    truth = _Sample(lists, looked_up, sample[1::2] if len(sample) > 1 else sample)
    return Neighbors(indices_NK, similarities_NK, recall=truth.recall(similarities_NK[truth.places_S]))


class _Sample:
    """Some queries and the similarity of their true k-th neighbor."""

    def __init__(self, lists: _Lists, looked_up: Rows, places_S: torch.Tensor) -> None:
        self.places_S, self.block = places_S, looked_up.take(places_S)
        self.empty_S = looked_up.zero_N[places_S]
        values_SK, _ = lists.truth(self.block, places_S, self.empty_S)
        last_S = values_SK[:, -1]
        self._last_S1 = (last_S - lists.rows.rounding(self.block, last_S)).unsqueeze(1)

    def recall(self, found_SK: torch.Tensor) -> float:
        """Share of places filled with a neighbor as similar as a true one; equal ones count, whichever was found."""
        return float((found_SK >= self._last_S1).double().mean())


class _Lists:
    """The index over the rows that can be neighbors, and the number of each."""

    def __init__(self, rows: Rows, k: int, exclude_self: bool, seed: int) -> None:
        self.rows, self._k, self._exclude_self = rows, k, exclude_self
        self._finder = exact.Finder(rows, k, exclude_self)
        self._index = _build(rows, seed)

    def tune(self, sample: _Sample) -> bool:
        """Sets the smallest probe count (4, 8, 16, ...) that reaches `RECALL`; False where it takes too many."""
        probes = FIRST_PROBES
        while probes <= self._index.nlist / 4:
            self._index.nprobe = probes
            values_SK, _ = self.scan(sample.block, sample.places_S, sample.empty_S)
            if sample.recall(values_SK) >= RECALL:
                return True
            probes *= 2
        return False

    def truth(
        self, block: torch.Tensor, places_B: torch.Tensor, empty_B: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `scan`, by exact search."""
        return self._finder.find(block, places_B if self._exclude_self else None, empty_B)

    def scan(
        self, block: torch.Tensor, places_B: torch.Tensor, empty_B: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities (B, k) and indices (B, k) from the lists, best first; short rows are searched exactly."""
        rows, width = self.rows, self._k + self._exclude_self
        values, indices = self._index.search(_plain(block), width)
        values_BW = torch.from_numpy(values).to(rows.device, rows.dtype)
        indices_BW = torch.from_numpy(indices).to(rows.device)
        values_BW = -values_BW if rows.metric == "euclidean" else values_BW
        missing_BW = (indices_BW < 0) | empty_B[:, None]
        if self._exclude_self:
            missing_BW |= indices_BW == places_B[:, None]
        if rows.dtype == torch.float64:
            values_BW = rows.pairs(block, indices_BW.clamp_min(0))
        indices_BW = indices_BW.masked_fill(missing_BW, -1)
        values_BW, indices_BW = exact.order(values_BW.masked_fill(missing_BW, -torch.inf), indices_BW)
        values_BK, indices_BK = exact.bounded(rows, values_BW[:, : self._k]), indices_BW[:, : self._k]
        short = ((indices_BK < 0).any(dim=1) & ~empty_B).nonzero().squeeze(1)
        if len(short):
            values_BK[short], indices_BK[short] = self.truth(block[short], places_B[short], empty_B[short])
        return values_BK, indices_BK


def _build(rows: Rows, seed: int) -> faiss.IndexIVFFlat:
    """Inverted lists around about sqrt(N) centers; faiss uses as many threads as torch."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    usable = (~rows.zero_N).nonzero().squeeze(1).cpu()
    n_lists = max(1, int(len(usable) ** 0.5))
    if rows.metric == "euclidean":
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(rows.dim), rows.dim, n_lists, faiss.METRIC_L2)
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.dim), rows.dim, n_lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.spherical = seed, 8, rows.metric == "cosine"
    index.cp.min_points_per_centroid = 1  # no warnings about small sets on stderr
    chosen = np.random.default_rng(seed).permutation(len(usable))[: n_lists * TRAINING_ROWS_A_LIST]
    index.train(_plain(rows.take(usable[np.sort(chosen)].to(rows.device))))
    for start, stop in spans(len(usable), rows.dim):
        places_B = usable[start:stop]
        index.add_with_ids(_plain(rows.take(places_B.to(rows.device))), places_B.numpy())
    return index


def _plain(block: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(block.float().cpu().numpy())
