"""Recipes that learn from the given labels alone."""

from __future__ import annotations

from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd


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
