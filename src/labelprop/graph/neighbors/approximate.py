"""Approximate nearest neighbors: only cells near a query are compared with it, as many as a stated recall needs.

A query looks into every cell whose center is at most `reach` less similar to it than the nearest center. The reach
is chosen so that `RECALL` of the true neighbors of a sample are found; the recall reported is then measured on
other rows. Where a quarter of all rows would have to be compared, products of everything are quicker, and the
exact search is run instead.

Departs from the usual inverted file in two ways: (1) the reach is a difference of similarities, not a number of
cells, so that queries between cells look into many and others into few;
(2) the queries of one cell are compared in one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.progress import advance
from labelprop.core.types import Neighbors
from labelprop.functional.largest import largest
from labelprop.graph.neighbors import exact
from labelprop.graph.neighbors.cells import TILE, Cells
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows
from labelprop.graph.neighbors.sparse_rows import SparseRows

RECALL = 0.98  # wanted, of the true neighbors
GROWTH = 1.5  # from one length of strips to the next
SAMPLE = 256  # rows to choose the reach on, and as many again to measure the recall on
SLACK = 0.02  # by which the sample's recall may miss `RECALL`
MOST = 0.25  # of all rows compared with; beyond, the exact search is quicker
HELD = {"cpu": 3 << 25, "cuda": 1 << 28}  # similarities held at once, at most
TOGETHER = 250  # queries that a cell is compared with at once, on average: with fewer the products are slow


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
    sample = usable[torch.from_numpy(np.random.default_rng(seed).permutation(len(usable))[: 2 * SAMPLE])]
    scan = _Scan(rows, looked_up, k, exclude_self, Cells.of(rows, seed))
    if not scan.choose_reach(sample[::2]):
        return exact.search(rows, k, queries=queries, exclude_self=exclude_self, seed=seed)
    indices_NK = torch.full((looked_up.n, k), -1, device=rows.device)
    similarities_NK = torch.full((looked_up.n, k), -torch.inf, dtype=rows.dtype, device=rows.device)
    blocks, done = scan.blocks(usable), 0
    for places_B in blocks:
        similarities_NK[places_B], indices_NK[places_B] = scan.find(places_B)
        done += len(places_B)
        advance("search", done, len(usable))
    held_back = sample[1::2] if len(sample) > 1 else sample
    recall = scan.recall(held_back, similarities_NK[held_back])
    order_N = torch.cat([*blocks, looked_up.zero_N.nonzero().squeeze(1)])
    return Neighbors(indices_NK, similarities_NK, recall, order_N)


class _Scan:
    """Queries against the rows in cells."""

    def __init__(self, rows: Rows, looked_up: Rows, k: int, exclude_self: bool, cells: Cells) -> None:
        self._rows, self._looked_up, self._k, self._cells = rows, looked_up, k, cells
        self._exclude_self = exclude_self
        self._exact = exact.Finder(rows, k, exclude_self)
        self._reach = 0.0
        self._held = torch.empty(0, TILE, device=rows.device)
        self._compared = 1.0  # rows a query is compared with, on average

    def choose_reach(self, places_S: torch.Tensor) -> bool:
        """Sets the smallest reach that finds `RECALL` of these queries' neighbors; False where it is too wide."""
        values_SK, indices_SK = self._truth(places_S)
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
        return self.recall(places_S, self.find(places_S)[0], values_SK) >= RECALL - SLACK

    def blocks(self, places_N: torch.Tensor) -> list[torch.Tensor]:
        """These queries in blocks, those of one cell together."""
        cell_N = torch.empty(len(places_N), dtype=torch.int64, device=places_N.device)
        for start, stop in spans(len(places_N), self._rows.dim + len(self._cells.counts_G)):
            block = self._looked_up.take(places_N[start:stop])
            cell_N[start:stop] = self._cells.closeness(block).argmax(dim=1)
        held = HELD.get(self._rows.device.type, HELD["cpu"])
        size = max(1, int(min(held, TOGETHER * self._rows.n) / self._compared))
        return list(torch.split(places_N[cell_N.argsort(stable=True)], size))

    def find(self, places_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities (B, k) and indices (B, k), best first; -inf and -1 where there are no more."""
        block, rows = self._looked_up.take(places_B), self._rows
        spare = exact.SPARE if rows.metric == "euclidean" else 0  # far from a cell's center distances are rough
        values_BW, indices_BW = self._candidates(block, self._k + spare + self._exclude_self)
        if self._exclude_self:
            keep_BW = exact.drop_self(places_B, indices_BW)
            values_BW, indices_BW = (part[keep_BW].view(len(block), -1) for part in (values_BW, indices_BW))
        rounding_B = rows.rounding(block, values_BW[:, -1])
        if rows.dtype == torch.float64:
            rounding_B = torch.full_like(rounding_B, torch.inf)  # what was compared is float32
        values_BW, indices_BW = exact.break_ties(rows, block, values_BW, indices_BW, rounding_B)
        values_BK, indices_BK = values_BW[:, : self._k], indices_BW[:, : self._k]
        short = (values_BK[:, -1] == -torch.inf).nonzero().squeeze(1)
        if len(short):
            values_BK[short], indices_BK[short] = self._truth(places_B[short])
        return values_BK, indices_BK

    def recall(self, places_S: torch.Tensor, found_SK: torch.Tensor, true_SK: torch.Tensor | None = None) -> float:
        """Share of places filled with a neighbor as similar as a true one; equal ones count, whichever was found."""
        last_S = (self._truth(places_S)[0] if true_SK is None else true_SK)[:, -1]
        last_S = last_S - self._rows.rounding(self._looked_up.take(places_S), last_S)
        return float((found_SK >= last_S[:, None]).double().mean())

    def _truth(self, places_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `find`, by exact search."""
        block = self._looked_up.take(places_B)
        return self._exact.find(block, places_B if self._exclude_self else None, self._looked_up.zero_N[places_B])

    def _candidates(self, block: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The `width` best similarities and their rows from all cells in reach, (B, width); -inf for too few.

        Products come a cell at a time. A query's best lie in the `width` tiles with the largest peaks, so that only
        peaks are brought together by query, in a strip for each, and then those tiles.
        """
        cells, block = self._cells, block.float()
        closeness_BG = cells.closeness(block)
        near_BG = closeness_BG >= closeness_BG.amax(dim=1, keepdim=True) - self._reach
        query_Q, cell_Q = near_BG.nonzero(as_tuple=True)
        strips = _Strips.of(query_Q, cells.tiles_G[cell_Q], len(block))
        by_cell_Q = cell_Q.argsort(stable=True)
        tiles_Q = cells.tiles_G[cell_Q[by_cell_Q]]
        first_Q = torch.empty_like(cell_Q)  # the first product tile of each pair of a query and a cell
        first_Q[by_cell_Q] = tiles_Q.cumsum(0) - tiles_Q
        pairs = query_Q[by_cell_Q], strips.place_Q[by_cell_Q], near_BG.sum(dim=0)
        products, peaks = self._products(block, *pairs, strips.total)
        places_Q, order_Q = strips.place_Q.sort()
        values_BW = torch.full((len(block), width), -torch.inf, device=block.device)
        numbers_BW = torch.full((len(block), width), -1, device=block.device)
        for queries, first, length in strips.equal():
            part = peaks[first : first + len(queries) * length].view(-1, length)
            best = part.topk(min(width, length), dim=1, sorted=False)
            place_BV = best.indices + first + length * torch.arange(len(queries), device=block.device)[:, None]
            pair_BV = torch.searchsorted(places_Q, place_BV, right=True) - 1
            within_BV, pair_BV = place_BV - places_Q[pair_BV], order_Q[pair_BV]
            empty_BV = best.values == -torch.inf  # behind the tiles of a strip
            tile_BV = (first_Q[pair_BV] + within_BV).masked_fill_(empty_BV, len(products) - 1)
            source_BV = cells.first_G[cell_Q[pair_BV]] + within_BV
            candidates = products.index_select(0, tile_BV.view(-1)).view(len(queries), -1)
            best_BW, place_BW = largest(candidates, min(width, candidates.shape[1]))
            number_BW = source_BV.gather(1, place_BW // TILE).mul_(TILE).add_(place_BW % TILE)
            values_BW[queries, : best_BW.shape[1]] = best_BW
            numbers_BW[queries, : best_BW.shape[1]] = cells.number_P[number_BW.clamp_max_(len(cells.number_P) - 1)]
        return values_BW, numbers_BW.masked_fill_(values_BW == -torch.inf, -1)

    def _products(
        self, block: torch.Tensor, query_Q: torch.Tensor, place_Q: torch.Tensor, sizes_G: torch.Tensor, n_places: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities in tiles, a cell after the other and its queries one after the other; then an empty tile.

        With the largest of each tile, in the strips, taken while tiles are in the cache. `query_Q` are the queries of
        each cell in turn, `place_Q` where their peaks go, `sizes_G` how many they are. The memory of products is used
        again by every block: memory new to a process costs a fill.
        """
        cells, n_tiles = self._cells, int((sizes_G * self._cells.tiles_G).sum())
        if n_tiles >= len(self._held):
            self._held = torch.empty(n_tiles + 1, TILE, device=block.device)
        products = self._held[: n_tiles + 1]
        products[-1] = -torch.inf
        peaks = torch.full((n_places,), -torch.inf, device=block.device)
        counting = torch.arange(int(cells.tiles_G.max()), device=block.device)
        tiles, counts, firsts = cells.tiles_G.tolist(), cells.counts_G.tolist(), cells.first_G.tolist()
        query = tile = 0
        for cell, size in enumerate(sizes_G.tolist()):
            room = products[tile : tile + size * tiles[cell]]
            if room.numel():
                asked = block.index_select(0, query_Q[query : query + size])
                cells.compare(asked, cell, firsts[cell], counts[cell], out=room.view(size, -1))
                targets = place_Q[query : query + size, None] + counting[: tiles[cell]]
                peaks[targets] = room.amax(dim=1).view(size, -1)
            query, tile = query + size, tile + len(room)
        return products, peaks


@dataclass(frozen=True, slots=True)
class _Strips:
    """A strip of places for each query, one a tile; strips of equal length one after the other."""

    place_Q: torch.Tensor  # first place of each pair of a query and a cell
    lengths_B: torch.Tensor
    total: int

    @classmethod
    def of(cls, query_Q: torch.Tensor, tiles_Q: torch.Tensor, n: int) -> _Strips:
        """Places for the tiles of each pair, pairs ordered by query; lengths are rounded up to powers of `GROWTH`."""
        used_B = torch.zeros(n, dtype=torch.int64, device=query_Q.device).index_add_(0, query_Q, tiles_Q)
        before_Q = tiles_Q.cumsum(0) - tiles_Q - (used_B.cumsum(0) - used_B)[query_Q]
        power_B = (used_B.clamp_min(1).double().log() / math.log(GROWTH)).ceil()
        lengths_B = (GROWTH**power_B).ceil().long()
        order_B = lengths_B.argsort(stable=True)
        start_B = torch.empty_like(lengths_B)
        start_B[order_B] = lengths_B[order_B].cumsum(0) - lengths_B[order_B]
        return cls(start_B[query_Q] + before_Q, lengths_B, int(lengths_B.sum()))

    def equal(self) -> Iterator[tuple[torch.Tensor, int, int]]:
        """For each length: its queries, the first place of their strips, and the length."""
        first = 0
        for length in torch.unique(self.lengths_B).tolist():
            queries = (self.lengths_B == length).nonzero().squeeze(1)
            yield queries, first, length
            first += len(queries) * length
