"""Pretrained image models (tiny, random weights) that learn: what moves, what stays, how they come back."""

from __future__ import annotations

import pytest
import torch

from labelprop.core.errors import RequestError
from labelprop.methods.phases import Sgd
from labelprop.models.network import ModelSpec, Network, build
from labelprop.models.trunks.hf import load_hf
from labelprop.models.trunks.modes import learning
from labelprop.models.trunks.pretrained import ALPHA, RANK, load_pretrained, options_of
from tiny_models import save_tiny_resnet, save_tiny_vit

pytest.importorskip("transformers")
SHAPE = (1, 10, 12)  # gray, and not the model's size


@pytest.fixture
def vit(tmp_path):
    return save_tiny_vit(tmp_path / "vit")


@pytest.mark.parametrize("tune", ["lora", "full"])
def test_it_begins_as_the_pretrained_model(vit, tune) -> None:
    x = torch.randn(3, *SHAPE)
    trunk = load_pretrained(vit, tune, seed=0).eval()
    torch.testing.assert_close(trunk(x), load_hf(vit)(x))


@pytest.mark.parametrize("tune", ["lora", "full"])
def test_it_is_built_anew_from_its_description_and_tensors_alone(vit, tune) -> None:
    trunk = load_pretrained(vit, tune, seed=0).eval()
    for parameter in trunk.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    described = ModelSpec("pretrained", SHAPE, {"class": 3}, options_of(trunk)).to_json()
    again = build(ModelSpec.from_json(described), seed=5).eval()
    again.trunk.load_state_dict(trunk.state_dict())
    x = torch.randn(3, *SHAPE)
    torch.testing.assert_close(again.trunk(x), trunk(x))


def test_an_adapter_is_added_to_its_layer(vit) -> None:
    """W x + b + ALPHA / RANK * B A x, by hand."""
    trunk = load_pretrained(vit, "lora", seed=0).eval()
    layer = next(part for part in trunk.model.modules() if hasattr(part, "lora_A"))
    a, b = layer.lora_A["default"].weight.data, layer.lora_B["default"].weight.data
    assert a.shape[0] == RANK
    b.normal_()
    x = torch.randn(2, layer.base_layer.in_features)
    torch.testing.assert_close(layer(x), layer.base_layer(x) + ALPHA / RANK * x @ a.T @ b.T)


def one_step(trunk) -> dict[str, float]:
    """How far each tensor moves in one step of SGD."""
    network = Network(trunk, {"class": 3})
    learning(network, trunk=True, heads={"class"})
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = Sgd(lr=1.0, weight_decay=0.1).build(network)
    for group in optimizer.param_groups:
        group["lr"] = 1.0 * group["rate"]
    network(torch.randn(4, *SHAPE))["class"].square().sum().backward()
    optimizer.step()
    return {name: (tensor - before[name]).abs().max().item() for name, tensor in network.state_dict().items()}


def test_adapters_and_heads_alone_move(vit) -> None:
    moved = one_step(load_pretrained(vit, "lora", seed=0))
    learned = {name for name, far in moved.items() if far > 0}
    assert learned == {name for name in moved if ".lora_" in name or name.startswith("heads.")}


def test_the_whole_model_moves_and_slower_than_new_heads(vit) -> None:
    trunk = load_pretrained(vit, "full", seed=0)
    moved = one_step(trunk)
    # The bias of the keys adds the same to all that a softmax compares.
    assert all(far > 0 for name, far in moved.items() if not name.endswith("k_proj.bias")), moved
    groups = Sgd(lr=1.0).build(Network(trunk, {"class": 3})).param_groups
    assert {group["rate"]: len(group["params"]) for group in groups} == {1.0: 2, 0.1: len(list(trunk.parameters()))}


def test_adapters_begin_as_the_seed_says(vit) -> None:
    first, same, other = (load_pretrained(vit, "lora", seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_model_without_linear_layers_is_refused_adapters(tmp_path) -> None:
    folder = save_tiny_resnet(tmp_path / "resnet")
    assert load_pretrained(folder, "full", seed=0).feature_dim == 12
    with pytest.raises(RequestError, match=r"no linear layers.*--tune full"):
        load_pretrained(folder, "lora", seed=0)


def test_adapters_learn_slower_than_new_heads(vit) -> None:
    trunk = load_pretrained(vit, "lora", seed=0)
    groups = Sgd(lr=1.0).build(Network(trunk, {"class": 3})).param_groups
    assert {group["rate"] for group in groups} == {1.0, 0.3}
