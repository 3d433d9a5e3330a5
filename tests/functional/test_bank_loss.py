"""Losses against a bank: finite differences, cases by hand, the equations written out, and where they meet."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from labelprop.functional import bank_loss
from labelprop.functional.bank_loss import (
    instance_loss,
    log_mass,
    neighborhood_loss,
    noise_contrastive_loss,
    same_label_loss,
)

TAU = 0.2


def unit(*size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(*size, generator=generator, dtype=torch.float64), dim=-1)


@pytest.fixture(params=[1, 7, 1 << 20])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the bank at a time, a few, all."""
    monkeypatch.setattr(bank_loss, "BLOCK", {"cpu": 4 * request.param})


def probabilities(vectors_BD: torch.Tensor, bank_ND: torch.Tensor) -> torch.Tensor:
    return (vectors_BD @ bank_ND.T / TAU).softmax(dim=1)


@pytest.mark.usefixtures("blocks")
def test_against_the_equations() -> None:
    v, bank = unit(4, 5), unit(20, 5, seed=1)
    own, label_N = torch.tensor([3, 0, 19, 7]), torch.arange(20) % 3
    p = probabilities(v, bank)
    assert torch.allclose(instance_loss(v, bank, own, TAU), -p[torch.arange(4), own].log())
    label_B = label_N[own]
    same = torch.stack([p[i, label_N == label_B[i]].sum() for i in range(4)])
    assert torch.allclose(same_label_loss(v, bank, label_N, label_B, TAU), -(same + 1e-7).log())
    assert torch.allclose(log_mass(v, bank, TAU), (v @ bank.T / TAU).logsumexp(dim=1))


def test_two_rows_by_hand() -> None:
    v, bank = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    loss = instance_loss(v, bank, torch.tensor([0]), 0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-6)
    h = math.exp(2) / 5 / (math.exp(2) / 5 + 1 / 2)  # one draw of two rows, Z = 5
    noise = torch.tensor([[1]])
    by_hand = -math.log(h) - math.log(0.5 / (1 / 5 + 0.5))
    found = noise_contrastive_loss(v, bank, torch.tensor([0]), noise, torch.tensor(5.0), 0.5)
    assert found.item() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.usefixtures("blocks")
def test_gradients_against_finite_differences() -> None:
    v, bank = unit(4, 5).requires_grad_(), unit(20, 5, seed=1)
    own, label_N = torch.tensor([3, 0, 19, 7]), torch.arange(20) % 3
    clusters, noise = torch.stack([label_N, torch.arange(20) % 4]), torch.arange(12).view(4, 3)
    for loss in (
        lambda x: instance_loss(x, bank, own, TAU),
        lambda x: same_label_loss(x, bank, label_N, label_N[own], TAU),
        lambda x: neighborhood_loss(x, bank, own, clusters, 9, TAU),
        lambda x: noise_contrastive_loss(x, bank, own, noise, torch.tensor(30.0, dtype=torch.float64), TAU),
    ):
        assert torch.autograd.gradcheck(loss, (v,), eps=1e-6, atol=1e-7)


@pytest.mark.usefixtures("blocks")
def test_all_labels_unique_is_instance_recognition_and_all_equal_is_nothing() -> None:
    v, bank, own = unit(4, 5), unit(20, 5, seed=1), torch.tensor([3, 0, 19, 7])
    unique = same_label_loss(v, bank, torch.arange(20), own, TAU, epsilon=0)
    assert torch.allclose(unique, instance_loss(v, bank, own, TAU), rtol=1e-12)
    equal = same_label_loss(
        v, bank, torch.zeros(20, dtype=torch.long), torch.zeros(4, dtype=torch.long), TAU, epsilon=0
    )
    assert equal.abs().max() < 1e-12


def test_own_clusters_and_all_neighbors_is_instance_recognition() -> None:
    v, bank, own = unit(4, 5), unit(20, 5, seed=1), torch.tensor([3, 0, 19, 7])
    alone = torch.arange(20)[None]
    assert torch.allclose(
        neighborhood_loss(v, bank, own, alone, 20, TAU, epsilon=0), instance_loss(v, bank, own, TAU)
    )


@pytest.mark.usefixtures("blocks")
def test_local_aggregation_against_the_equation_with_its_own_row_forced_in() -> None:
    v, bank, own = unit(4, 5), unit(20, 5, seed=1), torch.tensor([3, 0, 19, 7])
    clusters = torch.stack([torch.arange(20) % 3, torch.arange(20) // 7])
    p = probabilities(v, bank)
    expected = []
    for i in range(4):
        near = p[i].argsort(descending=True)[:5].tolist()
        if int(own[i]) not in near:
            near[-1] = int(own[i])
        close = [j for j in near if any(int(c[j]) == int(c[own[i]]) for c in clusters)]
        expected.append(-math.log(float(p[i, close].sum() / p[i, near].sum()) + 1e-7))
    assert neighborhood_loss(v, bank, own, clusters, 5, TAU).tolist() == pytest.approx(expected, rel=1e-9)


def test_noise_contrastive_against_the_equation() -> None:
    v, bank, own = unit(4, 5), unit(20, 5, seed=1), torch.tensor([3, 0, 19, 7])
    noise, z = torch.arange(12).view(4, 3), torch.tensor(30.0, dtype=torch.float64)
    share = 3 / 20
    p = (v @ bank.T / TAU).exp() / z
    data = p[torch.arange(4), own] / (p[torch.arange(4), own] + share)
    drawn = p.gather(1, noise)
    expected = -data.log() - (1 - drawn / (drawn + share)).log().sum(dim=1)
    found = noise_contrastive_loss(v, bank, own, noise, z, TAU, epsilon=0)
    assert torch.allclose(found, expected)


def test_float32_holds_at_the_papers_temperature() -> None:
    v, bank, own = unit(8, 16), unit(3000, 16, seed=1), torch.arange(8)
    exact = instance_loss(v, bank, own, 0.07)
    single = instance_loss(v.float(), bank.float(), own, 0.07)
    assert torch.allclose(single.double(), exact, rtol=1e-5)
