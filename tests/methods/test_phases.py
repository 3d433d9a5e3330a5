"""Optimizers of phases: what decays and what does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from labelprop.methods.phases import Sgd
from labelprop.training.checkpoint import optimizer_tensors, restore_optimizer


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


@pytest.mark.parametrize("decay_norms", [True, False])
def test_weight_decay_spares_batch_norm_where_it_is_said(decay_norms: bool) -> None:
    module = net()
    nn.init.ones_(module[1].bias)
    before = {name: value.clone() for name, value in module.named_parameters()}
    optimizer = Sgd(lr=0.1, weight_decay=0.5, momentum=0, decay_norms=decay_norms).build(module)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in module.named_parameters():
        spared = name.startswith("1.") and not decay_norms
        torch.testing.assert_close(value, before[name] * (1 if spared else 1 - 0.1 * 0.5))


def test_the_state_of_an_optimizer_with_two_groups_comes_back_to_the_same_parameters() -> None:
    module = net()
    spec = Sgd(decay_norms=False)
    optimizer = spec.build(module)
    for parameter in module.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    other = spec.build(module)
    restore_optimizer(other, optimizer_tensors(optimizer))
    for parameter in module.parameters():
        torch.testing.assert_close(
            other.state[parameter]["momentum_buffer"], optimizer.state[parameter]["momentum_buffer"]
        )
    assert [group["weight_decay"] for group in other.param_groups] == [spec.weight_decay, 0]
