"""Every setting of every recipe reaches a method, an optimizer or the network: none does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from labelprop import registry
from labelprop.training import recipes

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
    "n_clusters": {None: 3},
    "normalizer": {None: 2.2456},
    "noise": {None: 5},
    "pool": {"unlabeled": "all"},
    "schedule": {"cosine": "two-drops"},
    "source": {"spectral-cut": "knn"},
    "threshold": {None: 0.5},
    "view": {"weak": "strong"},
    "statistics": {"own": "ema", "copy": "ema", "ema": "copy"},
}
SETTINGS = [(name, key) for name, entry in registry.table("recipes").items() for key in entry.parameters]


def changed(recipe: str, key: str) -> Any:
    """Another value that the recipe takes."""
    default = registry.lookup("recipes", recipe).parameters[key]
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
        for part in phase.method().modules():
            found.append({key: value for key, value in vars(part).items() if not key.startswith("_")})
    return found


@pytest.mark.parametrize(("recipe", "key"), SETTINGS)
def test_a_changed_setting_changes_what_is_built(recipe: str, key: str) -> None:
    assert built(recipe, {}) == built(recipe, {}), "what is compared must not differ by itself"
    assert built(recipe, {key: changed(recipe, key)}) != built(recipe, {})
