"""Instance recognition and local aggregation as methods: what they keep and what they deploy."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.functional.bank_loss import instance_loss
from labelprop.methods.aggregation import Aggregation, default_clusters
from labelprop.methods.instance import Instance
from small_batches import START, Fixed, batch_of, task_of

N, D = 60, 3
TASK = task_of([0, 1] + [-1] * (N - 2))


class AsGiven(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"embedding": x}


def unit(*size: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*size, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_the_full_softmax_is_the_default() -> None:
    method, x = Instance(dim=D), unit(3, D)
    method.setup(AsGiven(), TASK)
    found = method.loss(AsGiven(), batch_of(TASK, [0, 7, 9], 0, x), START)
    expected = instance_loss(x, method.bank.vectors_ND, torch.tensor([0, 7, 9]), 0.07).mean()
    assert torch.equal(found.terms["instance"], expected)


def test_noise_contrastive_estimation_keeps_the_normalizer_of_its_first_batch() -> None:
    method, x = Instance(dim=D, noise=50, temperature=1.0), unit(3, D)
    method.setup(AsGiven(), TASK)
    batch, kept = batch_of(TASK, [0, 7, 9], 0, x), []
    for seed in range(2):
        torch.manual_seed(seed)
        found = method.loss(AsGiven(), batch, START)
        method.after_step(AsGiven(), batch, found.outputs, START)
        kept.append(method.constant.item())
    assert kept[0] == kept[1]
    exact = (x @ unit(N, D, seed=3).T).exp().sum(dim=1).mean().item()
    assert kept[0] == pytest.approx(exact, rel=0.3)  # of 150 draws, from another bank of random directions


def test_the_normalizer_may_be_the_released_codes_constant() -> None:
    method, x = Instance(dim=D, noise=5, normalizer=2.2456), unit(3, D)
    method.setup(AsGiven(), TASK)
    batch = batch_of(TASK, [0, 7, 9], 0, x)
    found = method.loss(AsGiven(), batch, START)
    method.after_step(AsGiven(), batch, found.outputs, START)
    assert method.constant.item() == pytest.approx(2.2456 * N)
    with pytest.raises(RequestError, match="normalizer=0: must"):
        Instance(normalizer=0)


def test_deployed_is_the_vote_of_the_labeled_embeddings() -> None:
    method, embeddings = Instance(dim=D), unit(N, D, seed=4)
    method.setup(AsGiven(), TASK)
    method.refresh(AsGiven(), Fixed(embedding=embeddings), 0)
    shares = method.deployed(AsGiven())(embeddings[:2])["class"].softmax(dim=1)
    assert shares.argmax(dim=1).tolist() == [0, 1]
    cosine = float(embeddings[0] @ embeddings[1])
    assert shares[0, 0].item() == pytest.approx(1 / (1 + 2.718281828 ** ((cosine - 1) / 0.07)), rel=1e-4)


def test_clusters_are_those_of_the_bank() -> None:
    method = Aggregation(dim=D, n_clusters=2, clusterings=3)
    method.setup(AsGiven(), TASK)
    first = torch.tensor([1.0, 0.0, 0.0])
    method.bank.inherited = True
    method.bank.vectors_ND.copy_(F.normalize(torch.where(torch.arange(N)[:, None] < 20, first, -first) + 0.01, dim=1))
    method.refresh(AsGiven(), Fixed(embedding=unit(N, D)), 0)
    for cluster_N in method.clusters_HN:
        assert len(set(cluster_N[:20].tolist())) == 1
        assert len(set(cluster_N[20:].tolist())) == 1


def test_number_of_clusters() -> None:
    assert [default_clusters(n) for n in (1, 100, 1600, 1_281_167)] == [1, 10, 40, 32029]


def test_each_its_own_cluster_is_instance_recognition() -> None:
    method = Aggregation(dim=D)
    method.setup(AsGiven(), TASK)
    x = F.normalize(method.bank.vectors_ND[[0, 7, 9]] + 0.2, dim=1)  # far ones meet the 1e-7 in the logarithm
    method.clusters_HN.copy_(torch.arange(N).expand_as(method.clusters_HN))
    found = method.loss(AsGiven(), batch_of(TASK, [0, 7, 9], 0, x), START)
    expected = instance_loss(x, method.bank.vectors_ND, torch.tensor([0, 7, 9]), 0.07).mean()
    assert found.terms["aggregation"].item() == pytest.approx(expected.item(), rel=1e-3)
