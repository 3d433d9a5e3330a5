"""Rows of unequal lengths: each has its places, no two the same, and comes back whole."""

from __future__ import annotations

import numpy as np
import torch

from labelprop.functional.ragged import Ragged, flat_nonzero


def test_every_row_is_found_again_in_its_places() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).integers(0, 40, size=700))
    ragged = Ragged(lengths, least=3)
    values = torch.full((ragged.total,), -1)
    for row, length in enumerate(lengths.tolist()):
        values[ragged.start_B[row] : ragged.start_B[row] + length] = row
    seen = []
    for rows, block in ragged.blocks(values):
        assert block.shape[1] >= 3
        assert block.shape[1] == max(3, int(lengths[rows].max()))
        for row, places in zip(rows.tolist(), block, strict=True):
            assert (places[: lengths[row]] == row).all()
            assert (places[lengths[row] :] == -1).all()
        seen += rows.tolist()
    assert sorted(seen) == list(range(700))


def test_what_is_true_by_place() -> None:
    assert flat_nonzero(torch.tensor([[True, False, True], [False, False, True]])).tolist() == [0, 2, 5]
