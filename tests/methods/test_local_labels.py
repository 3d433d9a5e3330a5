"""LLP's loss and labels by hand, its special cases, and the order in which it reads and writes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.functional.bank_loss import instance_loss
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.local_propagation import LocalPropagation
from labelprop.propagators.weighted_knn import WeightedKNN
from small_batches import START, Fixed, batch_of, task_of

N, D = 12, 3
LABELS = [0, 1, 0, 1] + [-1] * (N - 4)


class AsGiven(nn.Module):
    """The input as embedding, and logits that are its first two entries."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"embedding": x, "class": x[:, :2]}


def unit(*size: int, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(*size, generator=torch.Generator().manual_seed(seed)), dim=-1)


def made(labels: list[int] = LABELS, weights: list[float] | None = None, **options) -> LocalLabels:
    method = LocalLabels(dim=D, n_density=3, **options)
    method.setup(AsGiven(), task_of(labels, 2, weights))
    method.bank.vectors_ND.copy_(unit(len(labels), D, seed=5))
    method.bank.inherited = True
    method.refresh(AsGiven(), Fixed(embedding=unit(len(labels), D, seed=6)), 0)
    return method


def step(method: LocalLabels, rows: list[int], x: torch.Tensor):
    batch = batch_of(task_of(LABELS), rows, 0, x)
    found = method.loss(AsGiven(), batch, START)
    with torch.no_grad():
        method.after_step(AsGiven(), batch, found.outputs, START)
    return found


def test_a_bank_that_no_phase_trained_starts_with_the_embeddings_of_an_eval_pass() -> None:
    method, seen_ND = LocalLabels(dim=D, n_density=3), unit(N, D, seed=6)
    method.setup(AsGiven(), task_of(LABELS, 2))
    method.refresh(AsGiven(), Fixed(embedding=seen_ND), 0)
    assert torch.equal(method.bank.vectors_ND, seen_ND)
    method.refresh(AsGiven(), Fixed(embedding=unit(N, D, seed=7)), 1)
    assert torch.equal(method.bank.vectors_ND, seen_ND), "filled once, then moved by steps"
    assert not torch.equal(made().bank.vectors_ND, seen_ND), "an inherited one stays"


def test_it_starts_as_instance_recognition() -> None:
    method, rows = made(), torch.tensor([4, 5, 9, 11])
    x = F.normalize(method.bank.vectors_ND[rows] + 0.2, dim=1)  # far ones meet the 1e-7 in the logarithm
    found = method.loss(AsGiven(), batch_of(task_of(LABELS), rows.tolist(), 0, x), START)
    expected = instance_loss(x, method.bank.vectors_ND, rows, 0.07).mean()
    assert found.terms["aggregation"].item() == pytest.approx(expected.item(), rel=1e-4)
    assert found.terms["class"].item() == 0, "an example without a class has no cross-entropy"


def test_with_one_label_for_all_nothing_is_left_to_aggregate() -> None:
    method = made()
    method.label_N.zero_()
    found = method.loss(AsGiven(), batch_of(task_of(LABELS), [0, 4, 5], 0, unit(3, D)), START)
    assert found.terms["aggregation"].item() == pytest.approx(0, abs=1e-5)


def test_confidence_scales_both_terms_and_is_not_divided_out() -> None:
    method, x = made(), unit(2, D)
    method.label_N[[4, 5]] = torch.tensor([0, 1])
    batch = batch_of(task_of(LABELS), [4, 5], 0, x)
    whole = method.loss(AsGiven(), batch, START).terms
    method.confidence_N[[4, 5]] = 0.25
    part = method.loss(AsGiven(), batch, START).terms
    for name in ("aggregation", "class"):
        assert part[name].item() == pytest.approx(0.25 * whole[name].item(), rel=1e-5)
    assert whole["class"].item() == pytest.approx(F.cross_entropy(x[:, :2], torch.tensor([0, 1])).item(), rel=1e-5)


def test_labels_come_from_the_bank_before_it_is_written() -> None:
    method, x = made(n_neighbors=1, density=None, momentum=0.0), unit(3, D)
    before = method.bank.vectors_ND.clone()
    step(method, [0, 4, 5], x)
    nearest = (x[1:] @ before[:4].T).argmax(dim=1)
    assert method.label_N[[4, 5]].tolist() == [LABELS[i] for i in nearest.tolist()]
    assert torch.allclose(method.bank.vectors_ND[[0, 4, 5]], x)
    assert method.label_N[:4].tolist() == LABELS[:4], "given labels stay"
    assert method.confidence_N[:4].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("density", "estimator"),
    [
        (None, WeightedKNN(n_neighbors=3)),
        ("joint", LocalPropagation(n_neighbors=3, n_density=3)),
        ("conditional", LocalPropagation(n_neighbors=3, n_density=3, density="conditional")),
    ],
)
def test_the_vote_is_the_propagators(density: str | None, estimator) -> None:
    """With embeddings that are the bank's own rows; without density weighting this is the weighted kNN."""
    method = made(n_neighbors=3, density=density)
    bank = method.bank.vectors_ND.clone()
    step(method, list(range(4, N)), bank[4:])
    fitted = estimator.fit(bank.numpy(), np.array(LABELS))
    assert method.label_N[4:].tolist() == fitted.transduction_[4:].tolist()
    assert method.confidence_N[4:].tolist() == pytest.approx(fitted.certainty_[4:].tolist(), abs=1e-4)


def test_the_ratio_counts_the_label_table() -> None:
    method = made(density="ratio")
    method.label_N[[4, 5, 6]], method.label_N[7] = 0, 1
    method.refresh(AsGiven(), Fixed(), 1)
    assert method.log_weight_L.tolist() == pytest.approx(
        [math.log(2 / 3), math.log(2 / 1), math.log(2 / 3), math.log(2 / 1)], abs=1e-6
    )


def test_trust_weighs_a_vote_and_the_loss() -> None:
    method = made(weights=[0.5] + [1.0] * (N - 1), density=None)
    assert method.log_weight_L.tolist() == pytest.approx([math.log(0.5), 0, 0, 0])
    assert method.confidence_N[0] == 0.5


def test_the_head_can_name_the_labels() -> None:
    method = made(label_source="head")
    x = torch.tensor([[0.6, 0.8, 0.0], [1.0, 0.0, 0.0]])
    step(method, [4, 5], x)
    assert method.label_N[[4, 5]].tolist() == [1, 0]
    assert method.confidence_N[4].item() == pytest.approx(1 / (1 + math.exp(-0.2)), rel=1e-5)


def test_diffusion_over_the_bank_names_all_labels_before_an_epoch_and_steps_leave_them() -> None:
    method = made(label_source="diffusion", propagation={"n_neighbors": 4, "alpha": 0.8})
    labels, estimator = method.label_N.clone(), Diffusion(n_neighbors=4, alpha=0.8)
    estimator.fit(method.bank.vectors_ND.numpy(), np.array(LABELS))
    assert labels.tolist() == estimator.transduction_.tolist()
    assert method.confidence_N.tolist() == pytest.approx(estimator.certainty_.tolist(), abs=1e-5)
    step(method, [4, 5], unit(2, D))
    assert torch.equal(method.label_N, labels)


def test_without_confidence_every_label_counts_fully() -> None:
    method = made(confidence=False)
    step(method, [4, 5], unit(2, D))
    assert (method.label_N[[4, 5]] < 2).all()
    assert method.confidence_N.tolist() == [1.0] * N


def test_an_embedding_alone_is_deployed_with_its_vote() -> None:
    method = made(classification=False)
    assert set(method.heads) == {"embedding"}
    found = method.loss(AsGiven(), batch_of(task_of(LABELS), [0, 4], 0, unit(2, D)), START)
    assert set(found.terms) == {"aggregation"}
    deployed = method.deployed(AsGiven())
    shares = deployed(unit(2, D, seed=9))["class"].exp()
    assert torch.allclose(shares.sum(dim=1), torch.ones(2))


def test_what_is_shown_has_no_class_where_there_is_none_yet() -> None:
    shown = made().pseudo_labels()
    assert shown.labels_N.tolist() == [*LABELS[:4], *[-1] * (N - 4)]
    assert shown.certainty_N.tolist() == [1.0] * 4 + [0.0] * (N - 4)


def test_gradient_against_finite_differences() -> None:
    method = made().double()
    method.label_N[[4, 5]] = torch.tensor([0, 1])
    method.confidence_N[[4, 5, 6]] = torch.tensor([0.3, 0.9, 0.5], dtype=torch.float64)
    x = unit(4, D).double().requires_grad_()

    def loss(given: torch.Tensor) -> torch.Tensor:
        return method.loss(AsGiven(), batch_of(task_of(LABELS), [0, 4, 5, 6], 0, given), START).total()

    assert torch.autograd.gradcheck(loss, (x,), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (LocalLabels, {"density": "dense"}, "unknown density 'dense'"),
        (LocalLabels, {"pool": "some"}, "unknown pool 'some'"),
        (LocalLabels, {"label_source": "vot"}, "unknown label_source 'vot'"),
        (LocalLabels, {"label_source": "head", "classification": False}, "needs the class head"),
        (LocalLabels, {"labeled_batch_size": 128}, "labeled_batch_size=128"),
        (LocalLabels, {"temperature": 0}, "temperature=0"),
        (LocalLabels, {"label_source": "diffusion", "propagation": {"alpha": 2}}, "alpha=2"),
        (Instance, {"momentum": 1.0}, "momentum=1.0"),
        (Instance, {"noise": 0}, "noise=0"),
        (Instance, {"dim": 0}, "dim=0"),
    ],
)
def test_bad_parameters_are_refused(kind: type, options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        kind(**options)
