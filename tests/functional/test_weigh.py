"""Normalization, certainty, class weights and the volume projection at their edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from labelprop.functional.weigh import (
    class_weights,
    entropy_certainty,
    normalize_rows,
    smoothed_shares,
    volume_factors,
)


def test_rows_sum_to_one_and_zero_rows_are_uniform() -> None:
    found = normalize_rows(torch.tensor([[1.0, 3.0], [0.0, 0.0], [0.0, 5.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.75], [0.5, 0.5], [0.0, 1.0]]))


def test_rows_of_tiny_scores_are_normalized_not_lost() -> None:
    found = normalize_rows(torch.tensor([[3e-39, 1e-39]]))
    torch.testing.assert_close(found, torch.tensor([[0.75, 0.25]]), rtol=1e-3, atol=0)


def test_certainty_is_one_minus_normalized_entropy() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]], dtype=torch.float64)
    wanted = torch.tensor([1, 0, 1 - math.log(2) / math.log(3)], dtype=torch.float64)
    torch.testing.assert_close(entropy_certainty(p), wanted)


def test_one_class_is_certain() -> None:
    assert entropy_certainty(torch.ones(3, 1)).tolist() == [1, 1, 1]


def test_class_weights_keep_the_scale_and_guard_empty_classes() -> None:
    labels = torch.tensor([0, 0, 0, 1, -1, -1])
    found = class_weights(labels, 3)
    torch.testing.assert_close(found, torch.tensor([4 / 3 / 3, 4 / 3 / 1, 0.0]))


def test_smoothed_shares_add_one_to_each_class() -> None:
    assert smoothed_shares(torch.tensor([3.0, 0.0])).tolist() == pytest.approx([4 / 5, 1 / 5])


def test_volume_factors_reach_the_wanted_shares() -> None:
    rng = np.random.default_rng(0)
    p = torch.from_numpy(rng.dirichlet([4, 2, 2], size=600))
    assert torch.bincount(p.argmax(1)).tolist()[0] > 350
    factors = volume_factors(p, torch.tensor([0.2, 0.3, 0.5]))
    shares = torch.bincount((p * factors).argmax(1), minlength=3) / 600
    torch.testing.assert_close(shares, torch.tensor([0.2, 0.3, 0.5]), rtol=0, atol=3 / 600)


def test_volume_keeps_the_best_step_when_shares_cannot_be_reached() -> None:
    p = torch.tensor([[0.9, 0.1]] * 10)  # equal rows: all or nothing
    factors = volume_factors(p, torch.tensor([0.9, 0.1]))
    assert (p * factors).argmax(1).tolist() == [0] * 10


def test_volume_leaves_classes_alone_that_no_row_may_take() -> None:
    p = torch.from_numpy(np.random.default_rng(1).dirichlet([2, 1], size=200))
    p = torch.cat([p, torch.zeros(200, 1)], dim=1)
    factors = volume_factors(p, torch.tensor([0.25, 0.25, 0.5]))
    assert factors.isfinite().all()
    assert torch.bincount((p * factors).argmax(1), minlength=3).tolist() == pytest.approx([100, 100, 0], abs=1)


def test_volume_of_no_rows_changes_nothing() -> None:
    assert volume_factors(torch.zeros(0, 3), torch.ones(3)).tolist() == [1, 1, 1]


def test_volume_with_a_class_wanted_by_nobody() -> None:
    p = torch.from_numpy(np.random.default_rng(2).dirichlet([1, 1], size=100)).float()
    factors = volume_factors(p, torch.tensor([1.0, 0.0]))
    assert (factors > 0).all()
    assert torch.bincount((p * factors).argmax(1), minlength=2)[1] <= 1
