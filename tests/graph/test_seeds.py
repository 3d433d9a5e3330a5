"""The right-hand side of a propagation."""

from __future__ import annotations

import pytest
import torch

from labelprop.graph.seeds import Seeds


def test_hard_seeds_and_weights() -> None:
    seeds = Seeds.hard(torch.tensor([2, -1, 0, 2]), 4, torch.tensor([1.0, 5.0, 0.0, 0.5]))
    assert seeds.labels_N.tolist() == [2, -1, -1, 2]
    assert seeds.weights_N.tolist() == [1, 0, 0, 0.5]
    assert seeds.totals_C().tolist() == [0, 0, 1.5, 0]
    assert seeds.columns([2, 0], torch.float32).tolist() == [[1, 0], [0, 0], [0, 0], [0.5, 0]]
    assert seeds.mask_N.tolist() == [True, False, False, True]


@pytest.mark.parametrize("soft", [False, True])
def test_sparse_columns_are_the_columns_in_the_order_asked_for(soft: bool) -> None:
    labels_N = torch.tensor([2, -1, 0, 1, -1, 2])
    weights_N = torch.tensor([1.0, 1.0, 0.5, 2.0, 1.0, 3.0])
    soft_NC = torch.nn.functional.one_hot(labels_N.clamp_min(0), 3) * (labels_N >= 0)[:, None] * 0.6
    soft_NC[3] = torch.tensor([0.3, 0.7, 0.0])
    seeds = Seeds.soft(soft_NC, weights_N) if soft else Seeds.hard(labels_N, 3, weights_N)
    order_N = torch.tensor([3, 0, 5, 1, 4, 2])
    found = seeds.sparse_columns([2, 0], torch.float64, order_N)
    assert torch.equal(found.to_dense(), seeds.columns([2, 0], torch.float64)[order_N])
