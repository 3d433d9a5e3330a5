"""Approximate nearest neighbors: only cells near a query are compared with it, as many as a stated recall needs.

A query looks into every cell whose mean is at most `reach` less similar to it than the most similar mean. The reach
is chosen so that `RECALL` of the true neighbors of a sample are found; the recall reported is then measured on
other rows. Where a quarter of all rows would have to be compared, products of everything are quicker, and the
exact search is run instead.

Departs from the usual inverted file in two ways: (1) the reach is a difference of similarities, not a number of
cells, so that queries between cells look into many and others into few;
(2) the queries of one cell are compared in one matrix product.
"""

from __future__ import annotations

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.memory import give_back
from labelprop.core.progress import advance
from labelprop.core.threads import in_threads
from labelprop.core.types import Neighbors
from labelprop.graph.neighbors import exact
from labelprop.graph.neighbors.cells import Cells
from labelprop.graph.neighbors.probe import Probe
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows
from labelprop.graph.neighbors.sparse_rows import SparseRows

RECALL = 0.98  # wanted, of the true neighbors
CHOSEN_ON, MEASURED_ON = 512, 256  # rows to choose the reach on, and others to measure the recall on
EXACTLY = 256  # rows compared with all others at once
SLACK = 0.02  # by which the sample's recall may miss `RECALL`
MOST = 0.25  # of all rows compared with; beyond, the exact search is quicker
HELD = {"cpu": 5 << 24, "cuda": 1 << 28}  # similarities held at once, at most
TOGETHER = 120  # queries that a cell is compared with at once, on average: with fewer the products are slow,
FEWEST = 40  # and with fewer than these slower than in one thread after the other


def search(rows: Rows, k: int, *, queries: Rows | None = None, exclude_self: bool = True, seed: int = 0) -> Neighbors:
    """The k nearest of `rows` for each query as found in near cells; `recall` is measured, not promised.

    Holds one float32 copy of the rows on their device. Similarities that decide an order by less than rounding, all
    distances and all of float64 rows are computed once more by pairs. Rows that find fewer than k neighbors are
    searched exactly. Raises RequestError for sparse rows.
    """
    if isinstance(rows, SparseRows) or isinstance(queries, SparseRows):
        raise RequestError(
            "search='approximate' works on dense vectors, not on sparse ones. Use search='exact', or reduce the "
            "columns first, e.g. with sklearn.decomposition.TruncatedSVD."
        )
    looked_up = rows if queries is None else queries
    k = min(k, rows.n - exclude_self)
    usable = (~looked_up.zero_N).nonzero().squeeze(1)
    if k == 0 or not len(usable) or bool(rows.zero_N.all()):
        return exact.search(rows, k, queries=queries, exclude_self=exclude_self, seed=seed)
    # Not the rows that the cells were found from: those that began as centers are nearer to one than others are.
    drawn = np.random.default_rng((seed, 1)).permutation(len(usable))[: CHOSEN_ON + MEASURED_ON]
    sample = usable[torch.from_numpy(drawn)]
    scan = _Scan(rows, looked_up, k, exclude_self, Cells.of(rows, seed))
    true_SK, indices_SK = scan.truth(sample)
    apart = max(1, len(sample) * MEASURED_ON // (CHOSEN_ON + MEASURED_ON))
    measured, true_MK = sample[:apart], true_SK[:apart]
    if len(sample) > 1:
        sample, true_SK, indices_SK = sample[apart:], true_SK[apart:], indices_SK[apart:]
    if not scan.choose_reach(sample, true_SK, indices_SK):
        return exact.search(rows, k, queries=queries, exclude_self=exclude_self, seed=seed)
    indices_NK = torch.full((looked_up.n, k), -1, device=rows.device)
    similarities_NK = torch.full((looked_up.n, k), -torch.inf, dtype=rows.dtype, device=rows.device)

    def find(places_B: torch.Tensor) -> int:
        similarities_NK[places_B], indices_NK[places_B] = scan.find(places_B)
        return len(places_B)

    order_N = scan.by_cell(usable)
    size, number = scan.work()
    done = 0
    for found in in_threads(find, torch.split(order_N, size), number):
        done += found
        advance("search", done, len(usable))
    short = order_N[similarities_NK[order_N, -1] == -torch.inf]
    if len(short):
        similarities_NK[short], indices_NK[short] = scan.truth(short)
    recall = scan.recall(measured, similarities_NK[measured], true_MK)
    give_back()  # what the threads had
    return Neighbors(indices_NK, similarities_NK, recall, torch.cat([order_N, looked_up.zero_N.nonzero().squeeze(1)]))


class _Scan:
    """Queries against the rows in cells."""

    def __init__(self, rows: Rows, looked_up: Rows, k: int, exclude_self: bool, cells: Cells) -> None:
        self._rows, self._looked_up, self._k, self._cells = rows, looked_up, k, cells
        self._exclude_self = exclude_self
        self._exact = exact.Finder(rows, k, exclude_self)
        self._probe = Probe(cells)
        self._reach = 0.0
        self._compared = 1.0  # rows a query is compared with, on average

    def choose_reach(self, places_S: torch.Tensor, true_SK: torch.Tensor, indices_SK: torch.Tensor) -> bool:
        """Sets the smallest reach that finds `RECALL` of these queries' neighbors; False where it is too wide."""
        closeness_SG = self._cells.closeness(self._looked_up.take(places_S))
        cell_N = self._cells.cell_of(self._rows.n)
        lag_SG = closeness_SG.amax(dim=1, keepdim=True) - closeness_SG
        lag_SK = lag_SG.gather(1, cell_N[indices_SK.clamp_min(0)])
        lags = lag_SK[indices_SK >= 0].sort().values
        if not len(lags):
            return False
        self._reach = float(lags[min(len(lags) - 1, int(RECALL * len(lags)))])
        self._compared = float(((lag_SG <= self._reach) * self._cells.counts_G).sum(dim=1).double().mean())
        if self._compared > MOST * self._rows.n:
            return False
        # What is in reach is not found where rounding hides it: tight groups far from each other, by distance.
        tried = slice(MEASURED_ON)
        return self.recall(places_S[tried], self.find(places_S[tried])[0], true_SK[tried]) >= RECALL - SLACK

    def work(self) -> tuple[int, int]:
        """How many queries are looked up at once, and how many such blocks side by side."""
        n, held = self._rows.n, HELD.get(self._rows.device.type, HELD["cpu"])
        threads = torch.get_num_threads() if self._rows.device.type == "cpu" else 1
        number = max(1, min(threads, held // (FEWEST * n)))
        return max(1, int(min(held // number, TOGETHER * n) / self._compared)), number

    def by_cell(self, places_N: torch.Tensor) -> torch.Tensor:
        """These queries, those of one cell together."""
        if self._looked_up is self._rows:
            return self._cells.number_P[self._cells.number_P >= 0]
        cell_N = torch.empty(len(places_N), dtype=torch.int64, device=places_N.device)
        for start, stop in spans(len(places_N), self._rows.dim + len(self._cells.counts_G)):
            block = self._looked_up.take(places_N[start:stop])
            cell_N[start:stop] = self._cells.closeness(block).argmax(dim=1)
        return places_N[cell_N.argsort(stable=True)]

    def find(self, places_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities (B, k) and indices (B, k), best first; -inf and -1 where there are no more."""
        block, rows = self._looked_up.take(places_B), self._rows
        spare = exact.SPARE if rows.metric == "euclidean" else 0  # far from a cell's center distances are rough
        values_BW, indices_BW = self._probe.best(block, self._reach, self._k + spare + self._exclude_self)
        if self._exclude_self:
            keep_BW = exact.drop_self(places_B, indices_BW)
            values_BW, indices_BW = (part[keep_BW].view(len(block), -1) for part in (values_BW, indices_BW))
        rounding_B = rows.rounding(block, values_BW[:, -1])
        if rows.dtype == torch.float64:
            rounding_B = torch.full_like(rounding_B, torch.inf)  # what was compared is float32
        values_BW, indices_BW = exact.break_ties(rows, block, values_BW, indices_BW, rounding_B)
        return values_BW[:, : self._k], indices_BW[:, : self._k]

    def truth(self, places_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `find`, by exact search."""
        found = []
        for here_B in torch.split(places_B, EXACTLY):
            self_B, empty_B = here_B if self._exclude_self else None, self._looked_up.zero_N[here_B]
            found.append(self._exact.find(self._looked_up.take(here_B), self_B, empty_B))
        return torch.cat([values for values, _ in found]), torch.cat([indices for _, indices in found])

    def recall(self, places_S: torch.Tensor, found_SK: torch.Tensor, true_SK: torch.Tensor) -> float:
        """Share of places filled with a neighbor as similar as a true one; equal ones count, whichever was found."""
        last_S = true_SK[:, -1]
        last_S = last_S - self._rows.rounding(self._looked_up.take(places_S), last_S)
        return float((found_SK >= last_S[:, None]).double().mean())
