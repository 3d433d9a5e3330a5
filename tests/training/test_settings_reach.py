"""Every setting of every recipe reaches a method, an optimizer or the network: none does nothing."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from labelprop.core import registry
from labelprop.training import recipes
from short_training import small, trained

OTHERS: dict[str, dict[Any, Any]] = {  # where the default is a name or None: what to take in its place
    "annealing": {None: "exp"},
    "density": {"joint": None},
    "divergence": {"mse": "kl", "kl": "reverse-kl"},
    "epsilon": {None: 2.0},
    "form": {"online": "two-stage"},
    "fraction": {None: 0.5},
    "label_source": {"vote": "head"},
    "max_class_weight": {None: 2.0},
    "label_view": {"eval": "weak"},
    "momentum": {None: 0.9},
    "n_clusters": {None: 3},
    "normalizer": {None: 2.2456},
    "noise": {None: 5},
    "pool": {"unlabeled": "all"},
    "preconditioner": {"auto": "cells"},
    "schedule": {"cosine": "two-drops"},
    "source": {"spectral-cut": "knn"},
    "threshold": {None: 0.5},
    "view": {"weak": "strong", "strong": "weak"},
    "start": {"supervised": "instances"},
    "statistics": {"own": "ema", "copy": "ema", "ema": "copy"},
}
OF_LITTLE: dict[str, Any] = {  # for those of which a near value does nothing to 72 examples
    "max_class_weight": 0.5,
    "tol": 0.1,
    "rounds": 1,
    "n_background": 12,
    "n_eigenvectors": 5,
    "threshold": 0.9,
}
WITH: dict[str, dict[str, Any]] = {"class_share": {"n_neighbors": 20}}  # no limit is below 10 neighbors
SETTINGS = [(name, key) for name in registry.entries("recipes") for key in registry.parameters("recipes", name)]


def changed(default: Any, key: str) -> Any:
    """Another value that the recipe takes."""
    if default in OTHERS.get(key, {}):
        return OTHERS[key][default]
    if isinstance(default, bool):
        return not default
    return default + 1 if isinstance(default, int) else default / 2


def built(recipe: str, settings: dict[str, Any]) -> list[Any]:
    """What it is made of, but for state."""
    made = recipes.build(recipe, settings)
    found: list[Any] = [made.l2_feature, made.heads(3)]
    for phase in made.phases:
        found += [phase.name, phase.optimizer, phase.keep_state, [phase.schedule(at, ()) for at in (0.0, 0.6, 1.0)]]
        for part in phase.method.modules():
            found.append({key: value for key, value in vars(part).items() if not key.startswith("_")})
    return found


@pytest.mark.parametrize(("recipe", "key"), SETTINGS)
def test_a_changed_setting_changes_what_is_built(recipe: str, key: str) -> None:
    assert built(recipe, {}) == built(recipe, {}), "what is compared must not differ by itself"
    other = changed(registry.parameters("recipes", recipe)[key], key)
    assert built(recipe, {key: other}) != built(recipe, {})


def learned(recipe: str, settings: dict[str, Any]) -> list[Any]:
    """The losses, all numbers of the network and of the method, and what the deployed network says."""
    losses, made, shape = trained(recipe, settings, labeled=(6, 4, 2))
    states = [tensor.flatten().tolist() for part in (made.net, made.method) for tensor in part.state_dict().values()]
    examples = torch.randn(20, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said = made.method.deployed(made.net).eval()(examples)["class"]
    return [losses, states, said.tolist()]


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "key"), SETTINGS)
def test_a_changed_setting_changes_what_is_learned(recipe: str, key: str) -> None:
    base = small(recipe) if key != "form" else {"batch_size": 40}  # the other form has few settings
    base |= WITH.get(key, {})
    other = OF_LITTLE.get(key) or changed(base.get(key, registry.parameters("recipes", recipe)[key]), key)
    assert learned(recipe, base | {key: other}) != learned(recipe, base)
