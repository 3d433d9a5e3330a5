"""Recipes whose network agrees with itself: on two views, over epochs, around an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelprop.methods.base import Method, Sum
from labelprop.methods.pi_model import PiModel
from labelprop.methods.temporal_ensembling import TemporalEnsembling
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import given_labels, own, settings_of


def pi(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """The Pi-model (Laine & Aila 2017) with the optimizer of `mean_teacher`. `method`: see `PiModel`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    return _beside_labels("pi", PiModel, rate | settings_of(PiModel, method))


def temporal_ensembling(
    *, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any
) -> Recipe:
    """Temporal ensembling (Laine & Aila 2017), optimizer of `mean_teacher`. `method`: see `TemporalEnsembling`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    return _beside_labels("temporal-ensembling", TemporalEnsembling, rate | settings_of(TemporalEnsembling, method))


def _beside_labels(name: str, kind: type[Method], settings: Mapping[str, Any]) -> Recipe:
    """One phase of a method and of cross-entropy on the given labels, divided by the whole batch."""
    main = Phase(
        name=name,
        method=lambda: Sum(kind(**own(kind, settings)), given_labels(settings)),
        optimizer=Sgd(lr=settings["lr"], weight_decay=settings["weight_decay"]),
    )
    return Recipe(name=name, phases=(main,), l2_feature=settings["l2_feature"], settings=settings)
