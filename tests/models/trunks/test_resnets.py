"""The residual networks: layers, orders and sizes of methods.md §4."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from labelprop.core.errors import RequestError
from labelprop.models.network import ModelSpec, build
from labelprop.models.trunks.preact_resnet import PreactBlock, PreactResNet18, PreactResNet50
from labelprop.models.trunks.resnet18 import BasicBlock, ResNet18


def maps_after(trunk, kind, x):
    """Shapes (C, H) that leave the modules of `kind`."""
    seen = []
    for module in trunk.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _m, _i, out: seen.append((out.shape[1], out.shape[2])))
    trunk.eval()(x)
    return seen


def test_preact18_blocks_and_feature():
    trunk = PreactResNet18((3, 64, 64), width=8, stem="imagenet")
    assert trunk.feature_dim == 64
    shapes = maps_after(trunk, PreactBlock, torch.zeros(1, 3, 64, 64))
    assert shapes == [(8, 16)] * 2 + [(16, 8)] * 2 + [(32, 4)] * 2 + [(64, 2)] * 2


def test_preact50_blocks_and_feature():
    trunk = PreactResNet50((3, 64, 64), width=4, stem="imagenet")
    assert trunk.feature_dim == 4 * 4 * 8
    shapes = maps_after(trunk, PreactBlock, torch.zeros(1, 3, 64, 64))
    assert shapes == [(16, 16)] * 3 + [(32, 8)] * 4 + [(64, 4)] * 6 + [(128, 2)] * 3


def test_papers_widths():
    with torch.device("meta"):
        assert PreactResNet18((3, 224, 224)).feature_dim == 512
        assert PreactResNet50((3, 224, 224)).feature_dim == 2048


@pytest.mark.parametrize("build_trunk", [PreactResNet18, PreactResNet50])
def test_first_block_of_every_stage_projects(build_trunk):
    trunk = build_trunk((3, 32, 32), width=4)
    projected = [m.project is not None for m in trunk.modules() if isinstance(m, PreactBlock)]
    assert sum(projected) == 4
    assert projected[0]


def test_projection_is_taken_after_batch_norm_and_relu():
    block = PreactBlock(4, 4, 1, bottleneck=False, project=True).eval()
    with torch.no_grad():
        block.norm.bias.fill_(-1e6)  # so that everything is 0 after the ReLU
    assert torch.equal(block(torch.randn(2, 4, 6, 6)), torch.zeros(2, 4, 6, 6))


def test_identity_shortcut_is_taken_before_batch_norm():
    block = PreactBlock(4, 4, 1, bottleneck=False, project=False).eval()
    with torch.no_grad():
        block.norm.bias.fill_(-1e6)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(block(x), x)


def test_stems():
    imagenet = PreactResNet18((3, 84, 84), width=4)
    assert [type(layer) for layer in imagenet.stem] == [nn.Conv2d, nn.MaxPool2d]
    assert imagenet.stem[0].kernel_size == (7, 7)
    assert imagenet.stem[0].stride == (2, 2)
    small = PreactResNet18((3, 32, 32), width=4)
    assert [type(layer) for layer in small.stem] == [nn.Conv2d]
    assert small.stem[0].kernel_size == (3, 3)
    assert small.stem[0].stride == (1, 1)
    with pytest.raises(RequestError, match="choose 'auto', 'imagenet' or 'small'"):
        PreactResNet18((3, 32, 32), stem="tiny")


def test_batch_norm_momentum_is_the_papers_with_its_stem():
    def momenta(trunk):
        return {(m.momentum, m.eps) for m in trunk.modules() if isinstance(m, nn.BatchNorm2d)}

    assert momenta(PreactResNet18((3, 84, 84), width=4)) == {(0.003, 1e-5)}
    assert momenta(PreactResNet18((3, 32, 32), width=4)) == {(0.1, 1e-5)}
    assert momenta(PreactResNet18((3, 32, 32), width=4, bn_momentum=0.01)) == {(0.01, 1e-5)}


def test_embedding_head_is_parallel_to_the_class_head():
    spec = ModelSpec("preact_resnet18", (3, 32, 32), {"class": 5, "embedding": 128}, {"width": 4})
    network = build(spec, seed=0).eval()
    x = torch.randn(3, 3, 32, 32)
    before = network(x)
    with torch.no_grad():
        network.heads["embedding"].weight.mul_(-1)
        network.heads["embedding"].bias.mul_(-1)
    after = network(x)
    torch.testing.assert_close(after["embedding"], -before["embedding"])
    assert torch.equal(after["class"], before["class"])


def test_resnet18_blocks_and_stem():
    trunk = ResNet18((3, 84, 84), width=8)
    assert trunk.feature_dim == 64
    shapes = maps_after(trunk, BasicBlock, torch.zeros(1, 3, 84, 84))
    assert shapes == [(8, 21)] * 2 + [(16, 11)] * 2 + [(32, 6)] * 2 + [(64, 3)] * 2
    assert trunk.stem[0].kernel_size == (7, 7)
    with torch.device("meta"):
        assert ResNet18((3, 84, 84)).feature_dim == 512


def test_resnet18_parameters_by_hand():
    """The trunk of the standard ResNet-18: 11,689,512 less its 1000-class layer of 513,000."""
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in ResNet18((3, 84, 84)).parameters())
    assert count == 11_689_512 - 513_000


def test_only_the_consistency_head_of_resnet18_is_weight_normed():
    network = build(ModelSpec("resnet18", (3, 32, 32), {"class": 4, "consistency": 4}, {"width": 4}), seed=0)
    assert parametrize.is_parametrized(network.heads["consistency"])
    assert not parametrize.is_parametrized(network.heads["class"])
