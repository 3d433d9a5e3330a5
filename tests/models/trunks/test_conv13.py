"""conv13 against its layer table (Iscen et al. 2019), layer by layer and weight by weight."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.models.network import ModelSpec, build
from labelprop.models.trunks.conv13 import Conv13

# What leaves each convolution, pool and dropout for 3x32x32: (channels, side).
TABLE = [
    ("conv", 128, 32),
    ("conv", 128, 32),
    ("conv", 128, 32),
    ("pool", 128, 16),
    ("dropout", 128, 16),
    ("conv", 256, 16),
    ("conv", 256, 16),
    ("conv", 256, 16),
    ("pool", 256, 8),
    ("dropout", 256, 8),
    ("conv", 512, 6),
    ("conv", 256, 6),
    ("conv", 128, 6),
]
KINDS = {nn.Conv2d: "conv", nn.MaxPool2d: "pool", nn.Dropout: "dropout"}

# 3x3 convolutions, then the two 1x1 ones; each with a bias, and scale and shift of its batch norm.
CONVOLUTIONS = [
    9 * 3 * 128,
    9 * 128 * 128,
    9 * 128 * 128,
    9 * 128 * 256,
    9 * 256 * 256,
    9 * 256 * 256,
    9 * 256 * 512,
    512 * 256,
    256 * 128,
]
CHANNELS = 3 * 128 + 3 * 256 + 512 + 256 + 128
CLASS_HEAD = 128 * 10 + 10


def kind_of(module: nn.Module) -> str | None:
    return next((kind for cls, kind in KINDS.items() if isinstance(module, cls)), None)


@pytest.mark.parametrize("weight_norm", [False, True])
def test_every_layer_has_the_shape_of_the_table(weight_norm):
    trunk = Conv13((3, 32, 32), weight_norm=weight_norm).eval()
    seen = []
    for module in trunk.modules():
        kind = kind_of(module)
        if kind:
            module.register_forward_hook(
                lambda _m, _i, out, kind=kind: seen.append((kind, out.shape[1], out.shape[2]))
            )
    feature = trunk(torch.zeros(2, 3, 32, 32))
    assert seen == TABLE
    assert feature.shape == (2, 128)


def test_layers_are_those_of_the_paper():
    modules = list(Conv13((3, 32, 32)).modules())
    assert {m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)} == {0.1}
    assert [m.p for m in modules if isinstance(m, nn.Dropout)] == [0.5, 0.5]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in modules) == 9


@pytest.mark.parametrize("weight_norm", [False, True])
def test_parameters_counted_by_hand(weight_norm):
    network = build(ModelSpec("conv13", (3, 32, 32), {"class": 10}, {"weight_norm": weight_norm}), seed=0)
    by_hand = sum(CONVOLUTIONS) + 3 * CHANNELS + CLASS_HEAD
    if weight_norm:
        by_hand += CHANNELS + 10  # a length for each output of a convolution and of the head
    assert by_hand == (3_125_908 if weight_norm else 3_123_850)
    assert sum(parameter.numel() for parameter in network.parameters()) == by_hand


def test_weight_norm_separates_length_and_direction_of_convolutions_and_heads():
    network = build(ModelSpec("conv13", (3, 32, 32), {"class": 10}, {"weight_norm": True}), seed=0)
    names = dict(network.named_parameters())
    lengths = [name for name in names if name.endswith("parametrizations.weight.original0")]
    assert len(lengths) == 10
    with torch.no_grad():
        for name in lengths:
            names[name].fill_(2.0)
    head = network.heads["class"]
    torch.testing.assert_close(head.weight.norm(dim=1), torch.full((10,), 2.0))


def test_dropout_is_an_option():
    trunk = Conv13((3, 32, 32), dropout=0.0)
    assert {m.p for m in trunk.modules() if isinstance(m, nn.Dropout)} == {0.0}


def test_other_sizes_and_gray():
    assert Conv13((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape == (2, 128)
    with pytest.raises(RequestError, match="'conv13' takes images of 12 pixels or more, not 8x8"):
        Conv13((3, 8, 8))
    with pytest.raises(RequestError, match="use 'mlp' for vectors"):
        Conv13((64,))
