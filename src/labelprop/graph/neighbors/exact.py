"""Exact nearest neighbors: blocked matrix products and top-k, on the device that holds the rows.

Departs from the usual top-k in one thing: ties are settled. A matrix product and top-k promise neither the order
of equal similarities nor which of them are kept at the K-th place. So a few more candidates than K are kept, and
wherever two neighboring values are closer than rounding, the candidates' similarities are computed again in a
fixed way (`Rows.pairs`) and ordered by (similarity descending, index ascending). Rows whose ties reach beyond the
kept candidates are searched again with more of them, once for each distinct vector: duplicates by the thousand
cost one search.
"""

from __future__ import annotations

from typing import Any

import torch

from labelprop.core.progress import advance
from labelprop.core.types import Neighbors
from labelprop.functional.largest import largest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows

SPARE = 8  # candidates kept beyond K; ties rarely reach further
SPARE_LADDER = (64, 512)  # then, for the rows that need more; after these, all rows
COLUMNS = 1 << 15  # rows compared with at once
PRODUCTS = {"cpu": 1 << 24, "cuda": 1 << 28}  # similarities held at once


def search(rows: Rows, k: int, *, queries: Rows | None = None, exclude_self: bool = True, seed: int = 0) -> Neighbors:
    """The k nearest of `rows` for each query. Memory beyond rows and result is bounded; recall is 1.

    `seed` is not used: there is nothing random here.
    """
    looked_up = rows if queries is None else queries
    k = min(k, rows.n - exclude_self)
    indices_NK = torch.empty(looked_up.n, k, dtype=torch.int64, device=rows.device)
    similarities_NK = torch.empty(looked_up.n, k, dtype=rows.dtype, device=rows.device)
    finder = Finder(rows, k, exclude_self)
    budget = PRODUCTS.get(rows.device.type, PRODUCTS["cpu"])
    for start, stop in spans(looked_up.n, min(rows.n, COLUMNS), budget):
        self_B = torch.arange(start, stop, device=rows.device) if exclude_self else None
        found = finder.find(looked_up.read(start, stop), self_B, looked_up.zero_N[start:stop])
        similarities_NK[start:stop], indices_NK[start:stop] = found
        advance("search", stop, looked_up.n)
    return Neighbors(indices_NK, similarities_NK, recall=1.0)


class Finder:
    """Finds the exact K nearest, ties settled; each distinct vector with wide ties is searched once.

    The answers to such vectors are kept, so that a finder serves one search after the other of the same kind.
    """

    def __init__(self, rows: Rows, k: int, exclude_self: bool) -> None:
        self._rows, self._k = rows, k
        self._width = k + exclude_self  # one more, since a copy leaves itself out
        self._known: dict[bytes, tuple[torch.Tensor, torch.Tensor]] = {}

    def find(
        self, block: Any, self_B: torch.Tensor | None, empty_B: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities and indices (B, K) of the rows of the block; -inf and -1 where there are none.

        `self_B`: the number of each row among the rows, to be left out; `empty_B`: those that have no neighbors.
        """
        values_BK, indices_BK, settled_B = _lookup(self._rows, block, self._k, SPARE, self_B)
        open_U = (~(settled_B | empty_B)).nonzero().squeeze(1)
        if len(open_U):
            places_U = None if self_B is None else self_B[open_U]
            values_BK[open_U], indices_BK[open_U] = self._resolve(_part(block, open_U), places_U)
        values_BK[empty_B] = -torch.inf
        return values_BK, indices_BK.masked_fill(values_BK == -torch.inf, -1)

    def _resolve(self, block: Any, self_B: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Similarities and indices (B, K) of the rows of the block, however far their ties reach."""
        keys = self._rows.keys(block)
        first = {key: place for place, key in enumerate(keys) if key not in self._known}
        for spare in (*SPARE_LADDER, self._rows.n):
            open_keys = [key for key in first if key not in self._known]
            for start, stop in spans(len(open_keys), min(self._rows.n, self._width + spare)):
                here = open_keys[start:stop]
                places = torch.tensor([first[key] for key in here], device=self._rows.device)
                values, indices, settled = _lookup(self._rows, _part(block, places), self._width, spare, None)
                for row in settled.nonzero().squeeze(1).tolist():
                    self._known[here[row]] = (values[row], indices[row])
        values_BW = torch.stack([self._known[key][0] for key in keys])
        indices_BW = torch.stack([self._known[key][1] for key in keys])
        if self_B is None:
            return values_BW, indices_BW
        keep_BW = drop_self(self_B, indices_BW)
        return values_BW[keep_BW].view(-1, self._k), indices_BW[keep_BW].view(-1, self._k)


def _lookup(
    rows: Rows, block: Any, k: int, spare: int, self_B: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Similarities (B, k) and indices (B, k) of the best k, and for which rows the ties are settled (B,)."""
    available = rows.n - (self_B is not None)
    width = min(k + spare, available)
    values_BW, indices_BW = candidates(rows, block, width, self_B)
    if k == 0:
        return values_BW[:, :0].to(rows.dtype), indices_BW[:, :0], values_BW.new_ones(len(values_BW)).bool()
    rounding_B = rows.rounding(block, values_BW[:, k - 1])
    # What was left out is at most the last candidate plus rounding; minus infinity stands for no candidate.
    gap_B = values_BW[:, k - 1] - values_BW[:, -1]
    settled_B = (gap_B > 2 * rounding_B) | (values_BW[:, -1] == -torch.inf) | (width == available)
    values_BW, indices_BW = break_ties(rows, block, values_BW, indices_BW, rounding_B)
    return values_BW[:, :k], indices_BW[:, :k], settled_B


def drop_self(self_B: torch.Tensor, indices_BW: torch.Tensor) -> torch.Tensor:
    """Which of the places (B, W) a row keeps: all but itself, or all but the last where it is not among them."""
    keep_BW = indices_BW != self_B[:, None]
    keep_BW[:, -1] &= keep_BW[:, :-1].logical_not().any(dim=1)
    return keep_BW


def break_ties(
    rows: Rows, block: Any, values_BW: torch.Tensor, indices_BW: torch.Tensor, rounding_B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Candidates, best first, ordered by (similarity descending, index ascending) in spite of rounding.

    Values that differ from the next by less than rounding, and all distances, are computed again by pairs. -inf goes
    last, with index -1.
    """
    missing_BW = values_BW == -torch.inf
    if rows.metric == "euclidean":
        again_BW = ~missing_BW
    else:
        close_BV = values_BW[:, :-1] - values_BW[:, 1:] <= 2 * rounding_B[:, None]
        again_BW = torch.nn.functional.pad(close_BV, (0, 1)) | torch.nn.functional.pad(close_BV, (1, 0))
    values_BW = values_BW.to(rows.dtype)
    row_T, column_T = again_BW.nonzero(as_tuple=True)
    if len(row_T):
        for start, stop in spans(len(row_T), rows.stored):
            row_P, column_P = row_T[start:stop], column_T[start:stop]
            pairs_P1 = rows.pairs(_part(block, row_P), indices_BW[row_P, column_P][:, None])
            values_BW[row_P, column_P] = pairs_P1.squeeze(1)
        tied_T = again_BW.any(dim=1).nonzero().squeeze(1)
        values_BW[tied_T], indices_BW[tied_T] = order(values_BW[tied_T], indices_BW[tied_T])
    values_BW = values_BW.clamp(-1, 1) if rows.metric == "cosine" else values_BW
    left_W = torch.arange(values_BW.shape[1] - 1, -1, -1, device=values_BW.device)
    missing_BW = missing_BW.sum(dim=1, keepdim=True) > left_W
    return values_BW.masked_fill(missing_BW, -torch.inf), indices_BW.masked_fill(missing_BW, -1)


def candidates(rows: Rows, block: Any, width: int, self_B: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The `width` largest similarities of each row of the block, descending, a block of columns at a time.

    -inf stands where a row itself or a zero vector would be.
    """
    size = int(block.shape[0])
    values_BW = torch.empty(size, 0, dtype=rows.dtype, device=rows.device)
    indices_BW = torch.empty(size, 0, dtype=torch.int64, device=rows.device)
    some_zero = bool(rows.zero_N.any())
    for start in range(0, rows.n, COLUMNS):
        stop = min(start + COLUMNS, rows.n)
        products_BR = rows.similarities(block, start, stop)
        if some_zero:
            products_BR[:, rows.zero_N[start:stop]] = -torch.inf
        if self_B is not None:
            inside = ((self_B >= start) & (self_B < stop)).nonzero().squeeze(1)
            products_BR[inside, self_B[inside] - start] = -torch.inf
        best_BW, place_BW = largest(products_BR, min(width, stop - start))
        values_BW = torch.cat([values_BW, best_BW], dim=1)
        indices_BW = torch.cat([indices_BW, place_BW + start], dim=1)
        if start:
            values_BW, kept_BW = values_BW.topk(min(width, values_BW.shape[1]), dim=1)
            indices_BW = indices_BW.gather(1, kept_BW)
    return values_BW[:, :width], indices_BW[:, :width]


def order(values_BW: torch.Tensor, indices_BW: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same pairs by (value descending, index ascending) in every row."""
    indices_BW, by_index_BW = indices_BW.sort(dim=1)
    values_BW, by_value_BW = values_BW.gather(1, by_index_BW).sort(dim=1, descending=True, stable=True)
    return values_BW, indices_BW.gather(1, by_value_BW)


def _part(block: Any, places_T: torch.Tensor) -> Any:
    return block[places_T] if isinstance(block, torch.Tensor) else block[places_T.cpu().numpy()]
