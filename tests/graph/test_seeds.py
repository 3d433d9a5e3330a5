"""The right-hand side of a propagation."""

from __future__ import annotations

import torch

from labelprop.graph.seeds import Seeds


def test_hard_seeds_and_weights() -> None:
    seeds = Seeds.hard(torch.tensor([2, -1, 0, 2]), 4, torch.tensor([1.0, 5.0, 0.0, 0.5]))
    assert seeds.labels_N.tolist() == [2, -1, -1, 2]
    assert seeds.weights_N.tolist() == [1, 0, 0, 0.5]
    assert seeds.totals_C().tolist() == [0, 0, 1.5, 0]
    assert seeds.columns([2, 0], torch.float32).tolist() == [[1, 0], [0, 0], [0, 0], [0.5, 0]]
    assert seeds.mask_N.tolist() == [True, False, False, True]
