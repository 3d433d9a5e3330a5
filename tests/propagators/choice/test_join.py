"""Joining distributions: against a hand computation, over rows that some members do not reach, dense and sparse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.core.types import Propagation
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice import join as joining
from labelprop.propagators.choice.join import FLOOR, join, join_rows, z_scored_log
from labelprop.propagators.estimator import sinks, top_classes
from labelprop.propagators.estimator.outcome import conclude

N, C = 40, 5


def by_hand(shares: np.ndarray) -> np.ndarray:
    logs = np.log(np.maximum(shares, FLOOR))
    return np.stack([(row - row.mean()) / (row.std() if np.ptp(row) else 1) for row in logs])


def found_of(seed: int, seeds: Seeds) -> Propagation:
    rng = np.random.default_rng(seed)
    shares = torch.from_numpy(rng.dirichlet(np.full(C, 0.3), size=N))
    reached = torch.from_numpy(rng.random(N) < 0.7)
    shares[~reached & ~seeds.mask_N] = 1 / C
    return conclude(shares, shares, shares.amax(dim=1), reached, seeds)


def seeds_of_two() -> Seeds:
    labels_N = torch.full((N,), -1)
    labels_N[0], labels_N[1] = 3, 4
    return Seeds.hard(labels_N, C)


def test_z_scores_are_those_of_the_logarithms_and_shares_of_zero_count_as_the_floor() -> None:
    shares = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(z_scored_log(torch.from_numpy(shares)), by_hand(shares), rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_classes", [1, 3, 7])
def test_equal_shares_say_nothing(dtype: torch.dtype, n_classes: int) -> None:
    shares = torch.full((2, n_classes), 1 / n_classes, dtype=dtype)
    assert (z_scored_log(shares) == 0).all()


def test_the_scale_of_a_distribution_does_not_matter() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 4)))
    flat, peaked = ((factor * logits).softmax(dim=1) for factor in (0.01, 1))
    torch.testing.assert_close(z_scored_log(flat), z_scored_log(peaked))


@pytest.mark.parametrize("block", [1 << 22, 7 * C])
def test_the_join_is_the_weighted_sum_over_members_that_reach_a_row(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "BLOCK_ELEMENTS", block)
    seeds = seeds_of_two()
    parts, weights = [found_of(one, seeds) for one in range(3)], [1.5, 0.6, 0.2]
    found = join(weights, parts, seeds)
    wanted = np.zeros((N, C))
    for weight, part in zip(weights, parts, strict=True):
        wanted += weight * np.where(part.reached_N[:, None], by_hand(part.distributions_NC.numpy()), 0)
    shares = np.exp(wanted) / np.exp(wanted).sum(axis=1, keepdims=True)
    reached = np.any([part.reached_N.numpy() for part in parts], axis=0)
    assert 0 < reached.sum() < N
    np.testing.assert_allclose(found.scores_NC, wanted, atol=1e-12)
    np.testing.assert_allclose(found.distributions_NC, shares, atol=1e-12)
    np.testing.assert_array_equal(found.reached_N, reached)
    labels = np.where(reached, wanted.argmax(axis=1), -1)
    labels[:2] = 3, 4
    np.testing.assert_array_equal(found.labels_N, labels)
    certainty = np.where(reached, shares.max(axis=1), 0)
    certainty[:2] = 1
    np.testing.assert_allclose(found.certainty_N, certainty)


def test_wide_results_are_joined_from_the_classes_that_were_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = seeds_of_two()
    parts, weights = [found_of(one, seeds) for one in range(3)], [1.0, 0.5, 0.4]
    kept = [top_classes.compact(part, 3) for part in parts]
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", N * C - 1)
    found = join(weights, kept, seeds, top=2)
    assert found.distributions_NC.layout is torch.sparse_csr
    assert (found.distributions_NC.crow_indices().diff() == 2).all()
    dense = [part.distributions_NC.to_dense() for part in kept]
    scores = join_rows(weights, dense, [part.reached_N for part in parts])
    free = found.reached_N & ~seeds.mask_N
    np.testing.assert_array_equal(found.labels_N[free], scores[free].argmax(dim=1))
    np.testing.assert_allclose(found.certainty_N[free], scores[free].softmax(dim=1).amax(dim=1))
    assert sinks.is_wide(N, C)
