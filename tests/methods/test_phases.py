"""Phases: what can be read of them before anything is built, and their optimizers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.types import Task
from labelprop.methods.phases import Phase, Sgd
from labelprop.methods.rotation import Rotation
from labelprop.methods.supervised import Supervised
from labelprop.training import recipes
from labelprop.training.checkpoint import optimizer_tensors, restore_optimizer
from labelprop.training.recipes.diffused import dlp


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


def test_a_phase_is_looked_at_and_its_method_left_alone() -> None:
    phase = Phase(name="p", method=Rotation(batch_size=12, labeled_batch_size=4))
    assert (phase.needs.labeled.size, phase.needs.unlabeled.size) == (4, 8)
    assert phase.heads == {"class": None, "rotation": 4}
    assert phase.refuses((1, 8, 8)) is None
    assert "vectors of 6 dimensions" in phase.refuses((6,))
    labels = Phase(name="p", method=Supervised)
    method = labels.new_method()
    method.setup(torch.nn.Linear(2, 2), Task(torch.tensor([0, -1]), torch.ones(2), 1, seed=0))
    assert dict(method.named_buffers())
    assert not dict(labels.method.named_buffers())


def test_what_makes_a_method_is_a_method_too() -> None:
    assert isinstance(Phase(name="p", method=Supervised).method, Supervised)
    assert Phase(name="p", method=lambda: Supervised(batch_size=7)).needs.labeled.size == 7


def test_settings_that_cannot_be_used_are_refused_when_the_recipe_is_made() -> None:
    with pytest.raises(RequestError, match="MeanTeacher: decay=2: must be a number"):
        recipes.build("mt+dlp", {"decay": 2})
    with pytest.raises(UnknownNameError, match="setting of recipe dlp 'alhpa'; did you mean 'alpha'"):
        recipes.build("dlp", {"alhpa": 0.5})
    with pytest.raises(UnknownNameError, match="setting of recipe dlp 'alhpa'; did you mean 'alpha'"):
        dlp(alhpa=0.5)
