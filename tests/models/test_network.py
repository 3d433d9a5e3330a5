"""The contract of networks: heads, specification, determinism, layout of memory."""

from __future__ import annotations

import copy
import json

import pytest
import torch
from torch.nn import functional as F

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.registry import entries
from labelprop.models.network import ModelSpec, Network, build, channels_last
from labelprop.models.trunks.mlp import Mlp

SPECS = [
    ModelSpec("small_cnn", (1, 8, 8), {"class": 10}),
    ModelSpec("small_cnn", (3, 32, 32), {"class": 4, "embedding": 16}),
    ModelSpec("conv13", (3, 16, 16), {"class": 4, "consistency": 4}, {"weight_norm": True}, l2_feature=True),
    ModelSpec("preact_resnet18", (3, 16, 16), {"class": 4, "embedding": 16}, {"width": 4}),
    ModelSpec("preact_resnet50", (1, 16, 16), {"class": 4}, {"width": 4}),
    ModelSpec("resnet18", (3, 32, 32), {"class": 4}, {"width": 4}),
    ModelSpec("mlp", (7,), {"class": 3}, {"hidden": (16, 8), "norm": "layer", "dropout": 0.1}),
]
IDS = [f"{spec.name}-{'x'.join(map(str, spec.input_shape))}" for spec in SPECS]


def example(spec, count=4):
    return torch.randn(count, *spec.input_shape, generator=torch.Generator().manual_seed(0))


def test_every_registered_model_is_tried_here():
    tried_elsewhere = {"pretrained"}  # needs a HuggingFace model: test_pretrained
    assert {spec.name for spec in SPECS} == set(entries("models")) - tried_elsewhere


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_outputs_are_feature_and_heads(spec):
    network = build(spec, seed=0)
    outputs = network(example(spec))
    assert list(outputs) == ["feature", *spec.heads]
    assert outputs["feature"].shape == (4, network.feature_dim)
    for name, size in spec.heads.items():
        assert outputs[name].shape == (4, size)
    if "embedding" in spec.heads:
        torch.testing.assert_close(outputs["embedding"].norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_same_seed_same_weights_and_the_global_generator_is_left_alone(spec):
    state = torch.get_rng_state()
    first, second, other = build(spec, seed=3), build(spec, seed=3), build(spec, seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert any(not torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_specification_survives_json(spec):
    restored = ModelSpec.from_json(json.loads(json.dumps(spec.to_json())))
    first, second = build(spec, seed=1).eval(), build(restored, seed=1).eval()
    assert restored.to_json() == spec.to_json()
    for name, output in first(example(spec)).items():
        assert torch.equal(output, second(example(spec))[name])


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_every_parameter_has_a_gradient(spec):
    network = build(spec, seed=0)
    outputs = network(example(spec))
    sum((outputs[name] ** 2 * torch.arange(1, size + 1)).sum() for name, size in spec.heads.items()).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_copies_are_independent_and_weights_can_be_saved_as_they_are(spec):
    network = build(spec, seed=0)
    twin = copy.deepcopy(network)
    assert all(tensor.is_contiguous() for tensor in network.state_dict().values())
    with torch.no_grad():
        next(twin.parameters()).add_(1)
    assert not torch.equal(next(twin.parameters()), next(network.parameters()))


def test_l2_feature_feeds_unit_vectors_to_the_head():
    spec = ModelSpec("mlp", (7,), {"class": 3}, l2_feature=True)
    network = build(spec, seed=0).eval()
    outputs = network(example(spec))
    torch.testing.assert_close(outputs["feature"].norm(dim=1), torch.ones(4))
    torch.testing.assert_close(outputs["class"], network.heads["class"](outputs["feature"]))
    raw = network.trunk(example(spec))
    torch.testing.assert_close(outputs["feature"], F.normalize(raw, dim=1))


def test_outputs_are_float32_under_autocast_and_float64_stays():
    spec = ModelSpec("mlp", (7,), {"class": 3, "embedding": 4})
    network = build(spec, seed=0)
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(example(spec))
    assert {output.dtype for output in outputs.values()} == {torch.float32}
    doubles = network.double()(example(spec).double())
    assert {output.dtype for output in doubles.values()} == {torch.float64}


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_come_innermost_without_changing_a_pixel(channels):
    x = torch.randn(2, channels, 5, 6)
    laid_out = channels_last(x)
    assert torch.equal(laid_out, x)
    assert laid_out.stride() == (30 * channels, 1, 6 * channels, channels)
    assert channels_last(torch.ones(2, 5)).shape == (2, 5)


def test_convolutions_run_channels_last_also_on_gray_images():
    network = build(ModelSpec("small_cnn", (1, 28, 28), {"class": 2}), seed=0)
    seen = []
    network.trunk.layers[0][0].register_forward_hook(
        lambda _m, _i, out: seen.append(out.is_contiguous(memory_format=torch.channels_last))
    )
    network(torch.zeros(2, 1, 28, 28))
    assert seen == [True]


def test_unknown_names_and_options_say_what_exists():
    with pytest.raises(UnknownNameError, match="unknown model 'conv31'; did you mean 'conv13'"):
        build(ModelSpec("conv31", (3, 32, 32), {"class": 2}), seed=0)
    with pytest.raises(RequestError, match="model 'mlp' has no option 'width'; it has: hidden, norm, dropout"):
        build(ModelSpec("mlp", (4,), {"class": 2}, {"width": 3}), seed=0)
    with pytest.raises(RequestError, match="cannot be named 'feature'"):
        Network(Mlp((4,)), {"feature": 2})
    with pytest.raises(RequestError, match="head 'class' has 0 outputs"):
        Network(Mlp((4,)), {"class": 0})
    with pytest.raises(RequestError, match="give the size of one or more layers"):
        Mlp((4,), hidden=())
    with pytest.raises(RequestError, match="choose 'batch' or 'layer'"):
        Mlp((4,), norm="group")
