"""Recipes whose network agrees with itself: on two views, over epochs, around an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labelprop.methods.base import Method, Sum
from labelprop.methods.entropy import EntropyMinimization
from labelprop.methods.pi_model import PiModel
from labelprop.methods.temporal_ensembling import TemporalEnsembling
from labelprop.methods.vat import Vat
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import given_labels, own, settings_of


def pi(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """The Pi-model (Laine & Aila 2017) with the optimizer of `mean_teacher`. `method`: see `PiModel`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    return _one_phase("pi", (PiModel,), rate | settings_of(PiModel, method), over="batch")


def temporal_ensembling(
    *, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any
) -> Recipe:
    """Temporal ensembling (Laine & Aila 2017), optimizer of `mean_teacher`. `method`: see `TemporalEnsembling`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    settings = rate | settings_of(TemporalEnsembling, method)
    return _one_phase("temporal-ensembling", (TemporalEnsembling,), settings, over="batch")


def vat(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Virtual adversarial training (Miyato et al. 2018), optimizer of `mean_teacher`. `method`: see `Vat`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    return _one_phase("vat", (Vat,), rate | settings_of(Vat, method), over="labeled")


def vat_em(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """`vat`, and entropy minimization on unlabeled examples. `method`: see `Vat` and `EntropyMinimization`."""
    rate = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    settings = rate | settings_of(EntropyMinimization, {}) | settings_of(Vat, method)
    return _one_phase("vat-em", (Vat, EntropyMinimization), settings, over="labeled")


def _one_phase(name: str, kinds: Sequence[type[Method]], settings: Mapping[str, Any], over: str) -> Recipe:
    """These methods and cross-entropy on the given labels, divided by what `Supervised` calls `over`."""
    main = Phase(
        name=name,
        method=lambda: Sum(*(kind(**own(kind, settings)) for kind in kinds), given_labels(settings, over)),
        optimizer=Sgd(lr=settings["lr"], weight_decay=settings["weight_decay"]),
    )
    return Recipe(name=name, phases=(main,), l2_feature=settings["l2_feature"], settings=settings)
