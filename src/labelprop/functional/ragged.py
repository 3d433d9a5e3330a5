"""Rows of unequal lengths, laid out so that operations on whole rows pad little."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

TOGETHER = 256  # rows of one width


class Ragged:
    """Places for rows of these lengths: the shortest first, each `TOGETHER` rows as wide as the longest of them."""

    def __init__(self, lengths_B: torch.Tensor, least: int = 1) -> None:
        self._order_B = lengths_B.argsort(stable=True)
        self._blocks = torch.split(self._order_B, TOGETHER)
        self._widths = [max(least, int(lengths_B[block[-1]])) for block in self._blocks]
        sizes = torch.tensor([len(block) for block in self._blocks], device=lengths_B.device)
        width_B = torch.repeat_interleave(torch.tensor(self._widths, device=lengths_B.device), sizes)
        self.start_B = torch.empty_like(lengths_B)  # the first place of each row
        self.start_B[self._order_B] = width_B.cumsum(0) - width_B
        self.total = int(width_B.sum())

    def blocks(self, values_P: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Rows of one width, by number, and what stands in their places, (rows, width, ...)."""
        first = 0
        for block, width in zip(self._blocks, self._widths, strict=True):
            stop = first + len(block) * width
            yield block, values_P[first:stop].view(len(block), width, *values_P.shape[1:])
            first = stop


def flat_nonzero(mask: torch.Tensor) -> torch.Tensor:
    """Places of what is true in a mask laid out flat."""
    if mask.device.type == "cpu":  # a quarter of the time
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.view(-1).nonzero().squeeze(1)
