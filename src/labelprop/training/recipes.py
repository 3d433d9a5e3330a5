"""Recipes: each a short function of its settings. `--set name=value` reaches every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelprop import registry
from labelprop.errors import UnknownNameError
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd

SUPERVISED_SHARE = 1 / 4
PROPAGATION = ("n_neighbors", "power", "alpha", "max_iter", "tol", "balance_seeds", "max_normalize")


def supervised(
    *,
    batch_size: int = 100,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
) -> Recipe:
    """Labels only (the papers' "fully supervised" rows, stage 1 of DLP)."""
    settings = dict(locals())
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)
    main = Phase(name="supervised", method=lambda: Supervised(batch_size=batch_size), optimizer=optimizer)
    return Recipe(name="supervised", phases=(main,), l2_feature=l2_feature, settings=settings)


def dlp(
    *,
    batch_size: int = 100,
    labeled_batch_size: int = 50,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    n_neighbors: int = 50,
    power: float = 3,
    alpha: float = 0.99,
    max_iter: int = 20,
    tol: float = 1e-6,
    balance_seeds: bool = True,
    max_normalize: bool = True,
) -> Recipe:
    """DLP (Iscen et al. 2019): labels only, then labels diffused anew before every epoch."""
    settings = dict(locals())
    propagation = {name: settings[name] for name in PROPAGATION}

    def method() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=batch_size,
            labeled_batch_size=labeled_batch_size,
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            propagation=propagation,
        )

    return _two_stages("dlp", method, Sgd(lr=lr, weight_decay=weight_decay), l2_feature, settings)


def network_prediction(
    *,
    batch_size: int = 100,
    labeled_batch_size: int = 50,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    max_normalize: bool = True,
) -> Recipe:
    """DLP's ablation: the same training on the network's own predictions instead of diffused labels."""
    settings = dict(locals())

    def method() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=batch_size,
            labeled_batch_size=labeled_batch_size,
            source="network",
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            propagation={"max_normalize": max_normalize},
        )

    return _two_stages("network-prediction", method, Sgd(lr=lr, weight_decay=weight_decay), l2_feature, settings)


def _two_stages(
    name: str,
    method: Callable[[], DiffusionLabels],
    optimizer: Sgd,
    l2_feature: bool,
    settings: dict[str, Any],
) -> Recipe:
    """Stage 1 on the labels alone, stage 2 from its weights and optimizer state with a fresh schedule."""
    batch_size = int(settings["batch_size"])
    first = Phase(
        name="supervised",
        method=lambda: Supervised(batch_size=batch_size),
        share=SUPERVISED_SHARE,
        optimizer=optimizer,
    )
    second = Phase(name=name, method=method, optimizer=optimizer, keep_optimizer=True)
    return Recipe(name=name, phases=(first, second), l2_feature=l2_feature, settings=settings)


def build(name: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe `name` with its defaults overridden by `settings`.

    Raises UnknownNameError for an unknown recipe or setting, RequestError for a value it cannot use.
    """
    entry = registry.lookup("recipes", name)
    for key in settings:
        if key not in entry.parameters:
            raise UnknownNameError(f"setting of recipe {name}", key, entry.parameters)
    recipe = entry.load()(**settings)
    assert isinstance(recipe, Recipe)
    for phase in recipe.phases:
        phase.method()  # refuses settings it cannot use now rather than in the middle of training
    return recipe
