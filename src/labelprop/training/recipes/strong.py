"""Recipes whose strong views learn from weak ones, with an average of the network deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelprop.functional.schedule import slow_cosine
from labelprop.methods.annealed_labels import AnnealedLabels
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Method, Sum
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.freematch import FreeMatch
from labelprop.methods.uda import Uda
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import given_labels, own, settings_of


def uda(
    *,
    lr: float = 0.03,
    weight_decay: float = 5e-4,
    l2_feature: bool = False,
    annealing: str | None = None,
    decay: float = 0.9999,
    statistics: str = "ema",
    **method: Any,
) -> Recipe:
    """UDA (Xie et al. 2020) with its CIFAR-10 settings. `method`: see `Uda`.

    `annealing` lets labels in while the network is not yet sure of them: "linear", "exp" (for few labels: late) or
    "log" (early), see `AnnealedLabels`; None lets all in.
    """
    settings = {name: value for name, value in locals().items() if name != "method"} | settings_of(Uda, method)

    def labels() -> Method:
        if annealing is None:
            return given_labels(settings, "labeled")
        return AnnealedLabels(batch_size=settings["labeled_batch_size"], annealing=annealing)

    return _averaged("uda", Uda, labels, settings)


def fixmatch(
    *,
    lr: float = 0.03,
    weight_decay: float = 5e-4,
    l2_feature: bool = False,
    decay: float = 0.999,
    statistics: str = "copy",
    **method: Any,
) -> Recipe:
    """FixMatch (Sohn et al. 2020). `method`: see `FixMatch`; `decay` and `statistics`: see `Averaged`."""
    settings = {name: value for name, value in locals().items() if name != "method"} | settings_of(FixMatch, method)
    return _averaged("fixmatch", FixMatch, lambda: given_labels(settings, "labeled"), settings)


def freematch(
    *,
    lr: float = 0.03,
    weight_decay: float = 5e-4,
    l2_feature: bool = False,
    decay: float = 0.999,
    statistics: str = "copy",
    **method: Any,
) -> Recipe:
    """FreeMatch (Wang et al. 2023). `method`: see `FreeMatch`; `decay` and `statistics`: see `Averaged`."""
    settings = {name: value for name, value in locals().items() if name != "method"} | settings_of(FreeMatch, method)
    return _averaged("freematch", FreeMatch, lambda: given_labels(settings, "labeled"), settings)


def _averaged(name: str, kind: type[Method], labels: Callable[[], Method], settings: Mapping[str, Any]) -> Recipe:
    """One phase of a method, of cross-entropy on the given labels, and of an average that is deployed."""
    main = Phase(
        name=name,
        method=lambda: Sum(Averaged(**own(Averaged, settings)), kind(**own(kind, settings)), labels()),
        optimizer=Sgd(lr=settings["lr"], weight_decay=settings["weight_decay"]),
        schedule=slow_cosine,
    )
    return Recipe(name=name, phases=(main,), l2_feature=settings["l2_feature"], settings=settings)
