"""Virtual adversarial training: the worst direction in closed form, what its passes leave alone, and entropy."""

from __future__ import annotations

import math

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.methods.base import Sum
from labelprop.methods.entropy import EntropyMinimization
from labelprop.methods.supervised import Supervised
from labelprop.methods.vat import Vat, _unit, from_clean, from_moved
from labelprop.models.network import ModelSpec, build
from small_batches import START, batch_of, task_of

TASK = task_of([0, 1] + [-1] * 14)
ROWS = list(range(16))


class Linear(nn.Module):
    """Logits that are linear in the input."""

    def __init__(self, weight_CD: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight_CD)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"class": x.flatten(1) @ self.weight.T}


def drawn(*size: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def term(net: nn.Module, x: torch.Tensor, **options) -> torch.Tensor:
    torch.manual_seed(0)
    rows = ROWS[: len(x)]
    return Vat(**options).loss(net, batch_of(TASK, rows, 2, x), START).terms["adversarial"]


def direction(net: nn.Module, x: torch.Tensor, **options) -> torch.Tensor:
    """What it finds from where `term` starts."""
    torch.manual_seed(0)
    start = torch.randn_like(x)
    return Vat(**options)._direction(net, x, net(x)["class"].detach(), _unit(start)).detach()


def mlp() -> nn.Module:
    """With batch normalization and dropout."""
    return build(ModelSpec("mlp", (6,), {"class": 3}), seed=0).train()


@pytest.mark.parametrize("divergence", ["kl", "reverse-kl"])
def test_without_a_step_there_is_nothing_to_lose_in_spite_of_dropout_and_batch_norm(divergence: str) -> None:
    x = drawn(16, 6, dtype=torch.float32)
    assert term(mlp(), x, epsilon=0.0, divergence=divergence).item() == 0
    assert term(mlp(), x, epsilon=0.5, divergence=divergence).item() > 1e-3


def test_a_look_that_draws_its_own_dropout_would_find_something_without_a_step(monkeypatch) -> None:
    monkeypatch.setattr("labelprop.methods.vat._alike", lambda look, device: look)
    assert term(mlp(), drawn(16, 6, dtype=torch.float32), epsilon=0.0).item() > 1e-3


@pytest.mark.parametrize(("name", "of"), [("kl", from_clean), ("reverse-kl", from_moved)])
def test_of_two_classes_the_worst_direction_is_the_one_between_their_weights(name: str, of) -> None:
    """One power step finds it exactly; the loss and its gradient are then those of one number."""
    weight_CD, x = drawn(2, 5, seed=1), drawn(4, 5, seed=2)
    between = weight_CD[1] - weight_CD[0]
    net = Linear(weight_CD.clone())
    cosine_B = direction(net, x, divergence=name) @ F.normalize(between, dim=0)
    assert torch.allclose(cosine_B.abs(), torch.ones_like(cosine_B))
    found = term(net, x, epsilon=0.7, divergence=name)
    p = torch.sigmoid(x @ between)
    q = torch.sigmoid(x @ between + 0.7 * cosine_B.sign() * between.norm())
    first, second = (p, q) if name == "kl" else (q, p)
    expected = first * (first / second).log() + (1 - first) * ((1 - first) / (1 - second)).log()
    assert found.item() == pytest.approx(expected.mean().item())
    assert of(torch.stack([x @ between * 0, x @ between], dim=1), torch.zeros(4, 2).double()).shape == (4,)


def test_the_two_directions_of_the_divergence_differ() -> None:
    a, b = torch.tensor([[0.0, math.log(3)]]), torch.zeros(1, 2)
    assert from_clean(a, b).item() == pytest.approx(0.25 * math.log(0.5) + 0.75 * math.log(1.5))
    assert from_moved(a, b).item() == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3))


@pytest.mark.parametrize("of", [from_clean, from_moved])
def test_slopes_of_the_divergences_against_differences(of) -> None:
    clean, moved = drawn(4, 3), drawn(4, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: of(clean, x), (moved,), eps=1e-6, atol=1e-7)


def test_power_steps_find_the_largest_eigenvector_of_the_divergences_curvature() -> None:
    """Of KL around x: J' (diag p - p p') J with J the weights; a dense eigendecomposition knows it."""
    weight_CD, x = drawn(4, 7, seed=3), drawn(3, 7, seed=4)
    found = direction(Linear(weight_CD.clone()), x, power_steps=60, xi=1e-3)
    for row, p in zip(found, (x @ weight_CD.T).softmax(dim=1), strict=True):
        curvature = weight_CD.T @ (p.diag() - p[:, None] * p[None, :]) @ weight_CD
        largest = torch.linalg.eigh(curvature).eigenvectors[:, -1]
        assert abs(float(row @ largest)) == pytest.approx(1, abs=1e-3)
    assert (direction(Linear(weight_CD), x, power_steps=0) @ largest).abs().max() < 0.95, "a random one is not it"


def test_in_float32_the_default_step_finds_the_direction_and_the_papers_does_not() -> None:
    """Entries as many as CIFAR's, weights as small as those of a network that is not yet sure."""
    weight_CD, x = 0.01 * drawn(10, 3072, seed=5), drawn(8, 3072, seed=6)
    exact, single = direction(Linear(weight_CD.clone()), x, xi=1e-4), Linear(weight_CD.float())

    def agreement(xi: float) -> torch.Tensor:
        torch.manual_seed(0)
        start = _unit(torch.randn_like(x)).float()
        return (Vat(xi=xi)._direction(single, x.float(), single(x.float())["class"].detach(), start) * exact).sum(
            dim=1
        )

    assert agreement(0.1).min() > 0.999
    assert agreement(1e-6).max() < 0.9


def test_looks_leave_statistics_gradients_and_the_generator_where_they_are() -> None:
    net, x = mlp(), drawn(16, 6, dtype=torch.float32)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    torch.manual_seed(0)
    torch.randn_like(x)
    state = torch.get_rng_state()
    found = term(net, x)
    assert torch.equal(torch.get_rng_state(), state), "dropout of the looks is not drawn from the step's"
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    found.backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_parameters_learn_as_if_the_direction_and_the_clean_answer_were_given() -> None:
    weight_CD, x = drawn(3, 5, seed=1), drawn(4, 5, seed=2)
    net = Linear(weight_CD.clone())
    term(net, x, epsilon=0.7).backward()
    moved = x + 0.7 * direction(net, x)
    p, q = (x @ weight_CD.T).softmax(1), (moved @ weight_CD.T).softmax(1)
    assert torch.allclose(net.weight.grad, (q - p).T @ moved / 4)


def test_of_the_reversed_divergence_too() -> None:
    """d KL(q || p) / d logits of q = q (log q - log p - KL): nothing flows through p."""
    weight_CD, x = drawn(3, 5, seed=1), drawn(4, 5, seed=2)
    net, options = Linear(weight_CD.clone()), {"epsilon": 0.7, "divergence": "reverse-kl"}
    term(net, x, **options).backward()
    moved = x + 0.7 * direction(net, x, divergence="reverse-kl")
    log_p, log_q = (x @ weight_CD.T).log_softmax(1), (moved @ weight_CD.T).log_softmax(1)
    apart = log_q - log_p
    slope = log_q.exp() * (apart - (log_q.exp() * apart).sum(1, keepdim=True))
    assert torch.allclose(net.weight.grad, slope.T @ moved / 4)


def test_terms_are_weighed() -> None:
    x, task = drawn(4, 5), task_of([0, 1, -1, -1])
    found = Vat(weight=3.0).loss(Linear(drawn(3, 5, seed=1)), batch_of(task, [0, 1, 2, 3], 2, x), START)
    assert found.weights == {"adversarial": 3}
    found = EntropyMinimization(entropy_weight=3.0).loss(
        Linear(drawn(3, 5, seed=1)), batch_of(task, [0, 1, 2, 3], 2, x), START
    )
    assert found.weights == {"entropy": 3}


def test_a_network_that_says_the_same_everywhere_is_left_alone() -> None:
    net = Linear(torch.zeros(3, 5))
    found = term(net, drawn(4, 5, dtype=torch.float32))
    found.backward()
    assert found.item() == 0
    assert torch.isfinite(net.weight.grad).all()


def test_a_network_that_hardly_knows_still_has_a_worst_direction() -> None:
    found = direction(Linear(1e-12 * drawn(2, 5)), drawn(4, 5))
    assert torch.allclose(found.norm(dim=1), torch.ones(4).double())


def test_the_step_is_the_papers_on_its_images_and_of_the_same_share_elsewhere() -> None:
    assert Vat()._length(torch.zeros(2, 3, 32, 32)) == 8
    assert Vat()._length(torch.zeros(2, 768)) == pytest.approx(4)
    assert Vat(epsilon=1.5)._length(torch.zeros(2, 768)) == 1.5


def test_directions_are_of_unit_length_for_images_too() -> None:
    found = direction(Linear(drawn(2, 48)), drawn(4, 3, 4, 4))
    assert found.shape == (4, 3, 4, 4)
    assert torch.allclose(found.flatten(1).norm(dim=1), torch.ones(4).double())


def test_entropy_is_that_of_unlabeled_examples_alone() -> None:
    x = torch.tensor([[9.0, 0.0], [0.0, 9.0], [0.0, 0.0], [0.0, math.log(3)]])
    net = Linear(torch.eye(2))
    found = EntropyMinimization().loss(net, batch_of(TASK, [0, 1, 2, 3], 2, x), START)
    quarter = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert found.terms["entropy"].item() == pytest.approx((math.log(2) + quarter) / 2)
    none = EntropyMinimization().loss(net, batch_of(TASK, [0, 1], 2, x[:2]), START)
    assert none.terms["entropy"].item() == 0
    sure = EntropyMinimization().loss(Linear(500 * torch.eye(2)), batch_of(TASK, [0, 3], 1, x[[0, 3]]), START)
    assert sure.terms["entropy"].item() == pytest.approx(0, abs=1e-6), "0 log 0 is 0"


def test_entropy_slope_against_differences() -> None:
    def loss(x: torch.Tensor) -> torch.Tensor:
        return (
            EntropyMinimization()
            .loss(Linear(torch.eye(3).double()), batch_of(TASK, [0, 1, 2, 3], 2, x), START)
            .total()
        )

    assert torch.autograd.gradcheck(loss, (drawn(4, 3).requires_grad_(),), eps=1e-6, atol=1e-7)


def test_labels_count_by_their_own_number_where_the_paper_says_so() -> None:
    x, net = drawn(4, 3, dtype=torch.float32), Linear(drawn(2, 3, seed=1, dtype=torch.float32))
    for over, count in (("labeled", 2), ("batch", 4)):
        method = Sum(Vat(batch_size=4, labeled_batch_size=2), Supervised(batch_size=2, over=over))
        method.setup(net, TASK)
        found = method.loss(net, batch_of(TASK, [0, 1, 2, 3], 2, x), START)
        log_p = net(x)["class"].log_softmax(1)
        assert found.terms["supervised"].item() == pytest.approx(-(log_p[0, 0] + log_p[1, 1]).item() / count)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"divergence": "js"}, "unknown divergence 'js'"),
        ({"epsilon": -1.0}, "epsilon=-1.0"),
        ({"xi": 0.0}, "xi=0.0"),
        ({"power_steps": -1}, "power_steps=-1"),
        ({"labeled_batch_size": 160}, "labeled_batch_size=160"),
    ],
)
def test_bad_parameters_are_refused(options: dict, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        Vat(**options)
    with pytest.raises(RequestError, match="unknown over 'all'"):
        Supervised(over="all")


def test_looks_are_in_float32_where_other_passes_are_not() -> None:
    """A change by xi would drown in 8 bits of mantissa."""
    net, kinds = mlp(), []
    net.trunk.layers[1].register_forward_hook(lambda module, args, output: kinds.append(output.dtype))
    wrapped = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed").setup(net)
    x = drawn(16, 6, dtype=torch.float32)
    wrapped(x)
    assert term(wrapped, x, epsilon=0.0).item() == 0
    assert kinds == [torch.bfloat16, torch.float32, torch.float32, torch.float32]
