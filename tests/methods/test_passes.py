"""Passes beside the one that trains: they leave no trace."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric

from labelprop.methods.base import SharedForward, bare, frozen_statistics
from labelprop.models.network import ModelSpec, build


def network():
    return build(ModelSpec("mlp", (4,), {"class": 3}), seed=0).train()


def test_a_look_aside_leaves_statistics_and_gradients_alone() -> None:
    net, x = network(), torch.randn(8, 4, requires_grad=True)
    before = {name: value.clone() for name, value in net.named_buffers()}
    (gradient,) = torch.autograd.grad(frozen_statistics(net)(x)["class"].square().sum(), x)
    assert gradient.abs().sum() > 0
    assert all(torch.equal(value, before[name]) for name, value in net.named_buffers())
    assert all(parameter.grad is None for parameter in net.parameters())
    net(x)
    assert not all(torch.equal(value, before[name]) for name, value in net.named_buffers()), "a usual pass moves them"


def test_parameters_learn_from_a_look_aside_as_from_a_usual_pass() -> None:
    net, x = network(), torch.randn(8, 4)
    found = []
    for passes in (net, frozen_statistics(net)):
        torch.manual_seed(0)
        net.zero_grad()
        passes(x)["class"].square().sum().backward()
        found.append([parameter.grad.clone() for parameter in net.parameters()])
    for usual, beside in zip(*found, strict=True):
        torch.testing.assert_close(usual, beside)


def test_the_bare_network_is_found_through_what_wraps_it() -> None:
    net = network()
    wrapped = Fabric(accelerator="cpu", devices=1).setup(net)
    assert bare(net) is net
    assert bare(wrapped) is net
    assert bare(SharedForward(wrapped)) is net
