"""Deep Co-Training."""

from __future__ import annotations

from functools import partial
from typing import Any

from labelprop.functional.schedule import cosine
from labelprop.methods.co_training import CoTraining
from labelprop.training.phases import Phase, Recipe
from labelprop.training.recipes.pieces import own, plain_momentum, settings_of


def dct(*, lr: float = 0.1, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Deep Co-Training with two networks (Qiao et al. 2018), settings of CIFAR-10. `method`: see `CoTraining`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(CoTraining, method)
    main = Phase(
        name="dct",
        method=lambda: CoTraining(**own(CoTraining, settings)),
        optimizer=plain_momentum(settings),
        schedule=partial(cosine, stretch=1),
    )
    return Recipe(name="dct", phases=(main,), l2_feature=l2_feature, settings=settings)
