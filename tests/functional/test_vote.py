"""The vote of labeled vectors on a batch: by hand, and equal to the propagators' vote for many rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labelprop.functional.vote import vote_shares
from labelprop.propagators.local_propagation import LocalPropagation
from labelprop.propagators.weighted_knn import WeightedKNN


def test_two_voters_by_hand() -> None:
    voters, query = torch.eye(2), torch.tensor([[0.8, 0.6]])
    shares = vote_shares(query, voters, torch.tensor([1, 0]), 3, n_neighbors=5, temperature=0.1)
    heavy, light = math.exp(8), math.exp(6)
    assert shares[0].tolist() == pytest.approx([light / (heavy + light), heavy / (heavy + light), 0], rel=1e-5)


def test_the_weighted_vote_decides_who_is_among_the_k() -> None:
    voters, query = torch.eye(2), torch.tensor([[0.8, 0.6]])
    weights = torch.tensor([0.0, 3.0])
    shares = vote_shares(query, voters, torch.tensor([0, 1]), 2, n_neighbors=1, temperature=0.1, log_weight_M=weights)
    assert shares.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize("n_neighbors", [1, 5, 100])
def test_equals_the_propagators_vote(n_neighbors: int) -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(200, 8, generator=generator), dim=1)
    y = np.where(np.arange(200) < 30, np.arange(200) % 4, -1)
    labels = torch.from_numpy(y[:30])
    found = vote_shares(vectors[30:], vectors[:30], labels, 4, n_neighbors=n_neighbors, temperature=0.07)
    knn = WeightedKNN(n_neighbors=n_neighbors).fit(vectors.numpy(), y)
    assert np.allclose(found.numpy(), knn.label_distributions_[30:], atol=1e-5)
    local = LocalPropagation(n_neighbors=n_neighbors, n_density=7).fit(vectors.numpy(), y)
    cosines = (vectors[:30] @ vectors[30:].T / 0.07).topk(7, dim=1).values
    weighted = vote_shares(
        vectors[30:],
        vectors[:30],
        labels,
        4,
        n_neighbors=n_neighbors,
        temperature=0.07,
        log_weight_M=-cosines.logsumexp(dim=1),
    )
    assert np.allclose(weighted.numpy(), local.label_distributions_[30:], atol=1e-4)
