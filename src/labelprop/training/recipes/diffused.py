"""DLP and its ablation: labels alone, then labels found anew before every epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import FIRST_SHARE

PROPAGATION = ("n_neighbors", "power", "alpha", "max_iter", "tol", "balance_seeds", "max_normalize")


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
    label_view: str = "eval",
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
            label_view=label_view,
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
    label_view: str = "eval",
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
            label_view=label_view,
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
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(name=name, method=method, optimizer=optimizer, keep_optimizer=True)
    return Recipe(name=name, phases=(first, second), l2_feature=l2_feature, settings=settings)
