"""Min-max features: pairs and trust by hand, gradients by differences, the cases without pairs or distances."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.functional.loss import min_max_features
from labelprop.methods.min_max import MinMax, dense_trust
from labelprop.methods.supervised import Supervised
from small_batches import START, Fixed, batch_of, task_of

TASK = task_of([0, 1, -1, -1, -1], weights=[1.0, 0.5, 1.0, 1.0, 1.0])


def outputs(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"class": x[:, :2], "feature": x}


def made(**options) -> MinMax:
    method = MinMax(**options)
    method.setup(torch.nn.Identity(), TASK)
    return method


def drawn(*size: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_pairs_by_hand() -> None:
    """On a line at 0, 1, 3 with labels a, a, b."""
    vectors, labels = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1])
    weights = torch.tensor([1.0, 0.5, 0.8])
    near = 1 * 0.5 * 1  # the one pair of a label
    far = (1 * 0.8 * max(0, 6 - 9) + 0.5 * 0.8 * (6 - 4)) / 2
    assert min_max_features(vectors, labels, weights, 6).item() == pytest.approx(near + far)


def test_pairs_one_by_one() -> None:
    vectors, labels, weights = drawn(7, 3), torch.tensor([0, 1, 2, 0, 1, 0, 0]), drawn(7, seed=1).abs()
    same, different = [], []
    for i in range(7):
        for j in range(7):
            squared, weight = (vectors[i] - vectors[j]).square().sum(), weights[i] * weights[j]
            if labels[i] != labels[j]:
                different.append(weight * max(0, 3 - squared))
            elif i != j:
                same.append(weight * squared)
    expected = sum(same) / len(same) + sum(different) / len(different)
    assert min_max_features(vectors, labels, weights, 3).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, 0, 0], [0]])
def test_a_kind_of_pair_that_is_missing_counts_nothing(labels: list[int]) -> None:
    vectors = drawn(len(labels), 4).requires_grad_()
    total = min_max_features(vectors, torch.tensor(labels), torch.ones(len(labels)), 100)
    total.backward()
    assert torch.isfinite(vectors.grad).all()
    squared = torch.cdist(vectors, vectors).square().detach()
    others = ~torch.eye(len(labels), dtype=torch.bool)
    one_label = len(set(labels)) == 1
    expected = (squared if one_label else 100 - squared)[others].mean() if len(labels) > 1 else 0
    assert total.item() == pytest.approx(float(expected), abs=1e-9)


def test_the_terms_are_those_of_the_equation() -> None:
    method, x = made(margin=1.5, weight=2.0), drawn(5, 3)
    method.label_N.copy_(torch.tensor([0, 1, 1, 0, 0]))
    method.weight_N.copy_(torch.tensor([1.0, 0.5, 0.2, 0.7, 0.0]))
    found = method.loss(outputs, batch_of(TASK, [0, 1, 2, 3, 4], 2, x), START)
    log_p = x[:, :2].log_softmax(1)
    of_class = -(log_p[0, 0] + 0.5 * log_p[1, 1] + 0.2 * log_p[2, 1] + 0.7 * log_p[3, 0]) / 5
    assert found.terms["class"].item() == pytest.approx(of_class.item(), abs=1e-6)
    unit = F.normalize(x, dim=1)
    assert found.terms["features"] == min_max_features(unit, method.label_N, method.weight_N, 1.5)
    assert found.weights == {"class": 1.0, "features": 2.0}


def test_gradient_against_finite_differences() -> None:
    method = made()
    method.label_N.copy_(torch.tensor([0, 1, 1, 0, 0]))
    method.weight_N.copy_(torch.tensor([1.0, 0.5, 0.25, 0.75, 0.0]))

    def loss(x: torch.Tensor) -> torch.Tensor:
        return method.loss(outputs, batch_of(TASK, [0, 1, 2, 3, 4], 2, x), START).total()

    assert torch.autograd.gradcheck(loss, (drawn(5, 3).requires_grad_(),), eps=1e-6, atol=1e-7)


def test_without_trust_in_guesses_and_features_it_is_supervised() -> None:
    method, supervised, x = made(weight=0.0), Supervised(batch_size=2), drawn(5, 3)
    supervised.setup(torch.nn.Identity(), TASK)
    batch = batch_of(TASK, [0, 1, 2, 3, 4], 2, x)
    assert torch.equal(method.loss(outputs, batch, START).total(), supervised.loss(outputs, batch, START).total())


def at(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees, dtype=torch.float64) * math.pi / 180
    return 3 * torch.stack([angles.cos(), angles.sin()], dim=1)


def chord(degrees: float) -> float:
    return 2 * math.sin(math.radians(degrees) / 2)


def test_trust_by_hand_and_by_a_quantile() -> None:
    """Unit vectors at 0, 10, 30 and 90 degrees; each looks at its two nearest."""
    d = [chord(10) + chord(30), chord(10) + chord(20), chord(20) + chord(30), chord(60) + chord(80)]
    r = dense_trust(at(0, 10, 30, 90), 2)
    assert r.tolist() == pytest.approx([1 - value / d[3] for value in d], abs=1e-6)
    cut = dense_trust(at(0, 10, 30, 90), 2, quantile=0.75)
    assert cut.tolist() == pytest.approx([max(0, 1 - value / d[2]) for value in d], abs=1e-6)


def test_trust_where_all_are_one_and_of_a_vector_of_zeros() -> None:
    assert dense_trust(torch.ones(5, 3), 2).tolist() == pytest.approx([1] * 5)
    vectors = torch.cat([at(0, 10, 30), torch.zeros(1, 2)])
    r = dense_trust(vectors, 2)
    assert r[3] == 0
    d = [chord(10) + chord(30), chord(10) + chord(20), chord(20) + chord(30)]
    assert r[:3].tolist() == pytest.approx([1 - value / 4 for value in d], abs=1e-6)


def test_guesses_are_the_networks_and_given_labels_stay() -> None:
    method, features = made(n_neighbors=2), at(0, 10, 30, 90, 5).float()
    logits = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    method.refresh(torch.nn.Identity(), Fixed(**{"class": logits, "feature": features}), 0)
    r = dense_trust(features, 2).tolist()
    assert method.label_N.tolist() == [0, 1, 1, 0, 1]
    assert method.weight_N.tolist() == pytest.approx([1, 0.5, *r[2:]])
    assert method.pseudo_labels().certainty_N.tolist() == pytest.approx([1, 1, *r[2:]])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labeled_batch_size": 100}, "labeled_batch_size=100 must"),
        ({"n_neighbors": 0}, "n_neighbors=0: must"),
        ({"quantile": 0}, "quantile=0: must"),
        ({"margin": 5}, "margin=5: must"),
        ({"weight": -1}, "weight=-1: must"),
    ],
)
def test_bad_parameters_are_refused(options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        MinMax(**options)
