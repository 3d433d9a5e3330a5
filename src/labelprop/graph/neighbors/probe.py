"""The best rows of all cells near a query: products a cell at a time, and of those only the large ones sorted.

Each cell's products of a query are put into `PEAKS` groups. The `width` largest peaks of all of a query's groups are
products of as many rows, so that its `width` best rows are none below the smallest of these peaks: a floor that few
other rows reach. What reaches it is brought together by query and sorted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from labelprop.functional.largest import kth_largest
from labelprop.functional.numbered import best_numbered, numbered
from labelprop.functional.ragged import Ragged, flat_nonzero
from labelprop.graph.neighbors.cells import TILE, Cells

PEAKS = TILE  # of a query in a cell
FOLD = 4  # times as many peaks as rows wanted: with fewer the floor is lower, with more it takes longer to find


class Probe:
    """Compares queries with the rows of near cells. Threads may share one: each has its memory for products."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._held = threading.local()  # memory new to a process costs a fill: used again by every block

    def best(self, block: torch.Tensor, reach: float, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The `width` best similarities and their rows from all cells in reach, (B, width); -inf and -1 for too few.

        In reach is a cell whose mean is at most so much less similar to a query than the most similar mean.
        """
        cells, block = self._cells, block.float()
        pairs = _Pairs.of(cells, block, reach)
        products_P, peaks_QE = self._products(block, pairs)
        floor_B = _floors(pairs, peaks_QE, width)
        place_M = self._above(products_P, pairs, floor_B)
        pair_M = pairs.spread(torch.arange(len(pairs.query_Q), device=block.device)).index_select(0, place_M // TILE)
        values_M = products_P.index_select(0, place_M)
        number_M = place_M + (pairs.stored_Q - pairs.start_Q).index_select(0, pair_M)
        strips, place_Q = pairs.strips(torch.bincount(pair_M, minlength=len(pairs.query_Q)), width)
        keys_P = torch.full((strips.total,), -torch.inf, dtype=torch.float64, device=block.device)
        at_M = place_Q.index_select(0, pair_M).add_(torch.arange(len(pair_M), device=block.device))
        keys_P.scatter_(0, at_M, numbered(values_M, number_M))
        values_BW = torch.empty(len(block), width, device=block.device)
        numbers_BW = torch.empty(len(block), width, dtype=torch.int64, device=block.device)
        for queries, keys in strips.blocks(keys_P):
            values_BW[queries], number = best_numbered(keys, width)
            numbers_BW[queries] = cells.number_P.index_select(0, number.view(-1)).view_as(number)
        return values_BW, numbers_BW.masked_fill_(values_BW == -torch.inf, -1)

    def _products(self, block: torch.Tensor, pairs: _Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities, pair by pair, and the peaks of each pair (Q, PEAKS)."""
        cells = self._cells
        products_P = self._room("products", pairs.total, torch.float32, block.device)
        peaks_QE = torch.empty(len(pairs.query_Q), PEAKS, device=block.device)
        counts, firsts = cells.counts_G.tolist(), cells.first_G.tolist()
        for cell, pair, start, width in pairs.by_cell():
            asked = block.index_select(0, pairs.query_Q[pair])
            room = products_P[start : start + len(asked) * width].view(-1, width)
            cells.compare(asked, cell, firsts[cell], counts[cell], out=room)
            torch.amax(room.view(len(asked), -1, PEAKS), 1, out=peaks_QE[pair])
        return products_P, peaks_QE

    def _above(self, products_P: torch.Tensor, pairs: _Pairs, floor_B: torch.Tensor) -> torch.Tensor:
        """Places of products that reach the floor of their query."""
        mask_P = self._room("mask", pairs.total, torch.bool, floor_B.device)
        floor_Q1 = floor_B.index_select(0, pairs.query_Q)[:, None]
        for _, pair, start, width in pairs.by_cell():
            part = slice(start, start + (pair.stop - pair.start) * width)
            room, mask, floors = products_P[part].view(-1, width), mask_P[part].view(-1, width), floor_Q1[pair]
            if mask.device.type == "cpu":  # half the time of torch's
                np.greater_equal(room.numpy(), floors.numpy(), out=mask.numpy())
            else:
                torch.ge(room, floors, out=mask)
        return flat_nonzero(mask_P)

    def _room(self, name: str, size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
        held: torch.Tensor | None = getattr(self._held, name, None)
        if held is None or len(held) < size:
            held = torch.empty(size, dtype=dtype, device=device)
            setattr(self._held, name, held)
        return held[:size]


def _floors(pairs: _Pairs, peaks_QE: torch.Tensor, width: int) -> torch.Tensor:
    """For each query (B,) a value that its `width` best rows reach; the lowest number where it has fewer peaks."""
    strips, place_Q = pairs.strips(torch.ones_like(pairs.query_Q), 1)
    peaks_PE = torch.full((strips.total, PEAKS), -torch.inf, device=peaks_QE.device)
    peaks_PE.index_copy_(0, place_Q.add_(torch.arange(len(place_Q), device=place_Q.device)), peaks_QE)
    floor_B = torch.full((len(strips.start_B),), torch.finfo(torch.float32).min, device=peaks_QE.device)
    for queries, peaks in strips.blocks(peaks_PE):
        flat = peaks.flatten(1)
        while flat.shape[1] >= FOLD * width and flat.shape[1] % 2 == 0:  # groups may be joined
            half = flat.shape[1] // 2
            flat = torch.maximum(flat[:, :half], flat[:, half:])
        if flat.shape[1] >= width:
            floor_B[queries] = kth_largest(flat, width).clamp_min_(torch.finfo(torch.float32).min)
    return floor_B


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of a query and a cell in its reach, cell by cell, and where their products stand."""

    query_Q: torch.Tensor
    sizes: list[int]  # pairs of each cell
    tiles: list[int]  # of each cell
    tiles_Q: torch.Tensor
    start_Q: torch.Tensor  # the first product of a pair
    stored_Q: torch.Tensor  # the place of its cell's first row
    by_query_Q: torch.Tensor  # pairs in the order of queries
    n_queries: int
    total: int  # products

    @classmethod
    def of(cls, cells: Cells, block: torch.Tensor, reach: float) -> _Pairs:
        closeness_BG = cells.closeness(block)
        near_GB = (closeness_BG >= closeness_BG.amax(dim=1, keepdim=True) - reach).T.contiguous()
        pair_Q = flat_nonzero(near_GB)
        cell_Q = pair_Q // len(block)
        query_Q = pair_Q - cell_Q * len(block)
        tiles_Q = cells.tiles_G.index_select(0, cell_Q)
        end_Q = tiles_Q.cumsum(0)
        return cls(
            query_Q,
            near_GB.sum(dim=1).tolist(),
            cells.tiles_G.tolist(),
            tiles_Q,
            (end_Q - tiles_Q) * TILE,
            cells.first_G.index_select(0, cell_Q) * TILE,
            query_Q.argsort(stable=True),
            len(block),
            int(end_Q[-1]) * TILE,
        )

    def by_cell(self) -> Iterator[tuple[int, slice, int, int]]:
        """Of each cell: its number, its pairs, their first product, and how many products each has."""
        pair = start = 0
        for cell, (size, tiles) in enumerate(zip(self.sizes, self.tiles, strict=True)):
            if size and tiles:
                yield cell, slice(pair, pair + size), start, tiles * TILE
            pair, start = pair + size, start + size * tiles * TILE

    def spread(self, values_Q: torch.Tensor) -> torch.Tensor:
        """For each tile of products what its pair has."""
        return torch.repeat_interleave(values_Q, self.tiles_Q)

    def strips(self, counts_Q: torch.Tensor, least: int) -> tuple[Ragged, torch.Tensor]:
        """A strip for each query that takes so many values of its pairs.

        With what is added to the number of a value, counted pair by pair, to have its place.
        """
        lengths_B = torch.zeros(self.n_queries, dtype=torch.int64, device=counts_Q.device)
        strips = Ragged(lengths_B.index_add_(0, self.query_Q, counts_Q), least)
        sorted_Q = counts_Q[self.by_query_Q]
        place_Q = torch.empty_like(counts_Q)
        place_Q[self.by_query_Q] = sorted_Q.cumsum(0) - sorted_Q
        place_Q += (strips.start_B - (lengths_B.cumsum(0) - lengths_B))[self.query_Q]
        return strips, place_Q - (counts_Q.cumsum(0) - counts_Q)
