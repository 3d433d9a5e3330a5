"""Numerics of a search: the type computed in, block sizes, rounding errors, and missing values."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from labelprop.core.errors import DataError

BLOCK_ELEMENTS = 1 << 22  # numbers converted at once


def distance_rounding(lengths_B: torch.Tensor, values_B: torch.Tensor, dim: int, dtype: torch.dtype) -> torch.Tensor:
    """How far -d^2 = 2 q.x - |q|^2 - |x|^2 in float64 may be off once it is rounded to `dtype`, (B,).

    A row within distance d of the query is no longer than |q| + d, so that the query and the smallest value of
    interest (-d^2) bound the terms.
    """
    squared_B = -values_B.double()
    longest_B = lengths_B.double() + squared_B.sqrt()
    return 4 * longest_B.square() * product_rounding(dim, torch.float64) + 2 * squared_B * torch.finfo(dtype).eps


def not_finite(row: int, value: float) -> DataError:
    kind = "NaN" if math.isnan(value) else "infinity"
    return DataError(
        f"row {row} of the features holds {kind} (rows are counted from 0; the first such row is named). "
        f"Remove the row or replace the value: neither NaN nor infinity can be compared."
    )


def work_dtype(dtype: torch.dtype | np.dtype[Any]) -> torch.dtype:
    """The type computed in: float64 stays, everything else is float32."""
    return torch.float64 if dtype in (torch.float64, np.dtype(np.float64)) else torch.float32


def numpy_type(dtype: torch.dtype) -> type[np.floating]:
    """NumPy's name of a type that is computed in."""
    return np.float64 if dtype == torch.float64 else np.float32


def spans(n: int, elements_a_row: int, budget: int = BLOCK_ELEMENTS) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive rows that hold at most `budget` numbers together, at least one row each."""
    step = max(1, budget // max(1, elements_a_row))
    for start in range(0, n, step):
        yield start, min(start + step, n)


def peaks(block: torch.Tensor, first: int) -> torch.Tensor:
    """The largest entry of each row (B, 1), 1 for a zero row. `first`: the number of the first row, for messages."""
    if block.shape[1] == 0:
        return block.new_ones(len(block), 1)
    peak_B1 = block.abs().amax(dim=1, keepdim=True)  # NaN and infinity pass through amax
    bad_B = ~peak_B1.isfinite().squeeze(1)
    if bad_B.any():
        place = int(bad_B.nonzero()[0, 0])
        values_D = block[place]
        raise not_finite(first + place, float(values_D[~values_D.isfinite()][0]))
    return peak_B1.masked_fill_(peak_B1 == 0, 1)


def product_rounding(dim: int, dtype: torch.dtype) -> float:
    """How far two inner products of the same unit vectors may differ: a random walk of D roundings, four times."""
    return float(4 * max(dim, 1) ** 0.5 * torch.finfo(dtype).eps)


def finite(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Values that fit the type: minus infinity is kept for places without a neighbor."""
    return values.clamp(torch.finfo(dtype).min, torch.finfo(dtype).max)
