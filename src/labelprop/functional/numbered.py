"""Values sorted together with numbers: one float64 holds a float32 and, in the bits that it leaves free, its number.

A plain sort then brings numbers along, where sorting indices or `topk` takes ten times as long on a CPU (NumPy sorts
short rows of numbers in vector instructions).
"""

from __future__ import annotations

import numpy as np
import torch

BITS = 28  # of a number; 29 are free, and half of them up would round to the next float32


def numbered(values: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """Keys that sort as the values (float32) do and hold numbers (int64, below 2 to the 28th)."""
    return (values.double().view(torch.int64) | numbers).view(torch.float64)


def best_numbered(keys_BW: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest values of every row (B, k), descending, and their numbers; minus infinity has number 0."""
    if keys_BW.device.type == "cpu":
        best_BK = torch.from_numpy(np.sort(keys_BW.numpy(), axis=1)[:, : -k - 1 : -1].copy())
    else:
        best_BK = keys_BW.sort(dim=1, descending=True).values[:, :k]
    bits_BK = best_BK.view(torch.int64)
    numbers_BK = bits_BK & ((1 << BITS) - 1)
    return (bits_BK - numbers_BK).view(torch.float64).float(), numbers_BK


def top(values_BW: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest values, all finite, of every row (B, k), descending, and their places; for short rows."""
    if values_BW.device.type == "cpu" and values_BW.dtype == torch.float32:
        return best_numbered(numbered(values_BW, torch.arange(values_BW.shape[1])), k)
    best = values_BW.topk(k, dim=1)
    return best.values, best.indices
