"""Recipes that train on labels of the network's own making: Pseudo-Label, Deep Metric Transfer, min-max features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.functional.schedule import cosine
from labelprop.methods.base import Method
from labelprop.methods.instance import Instance
from labelprop.methods.labels_once import LabelsOnce
from labelprop.methods.min_max import MinMax
from labelprop.methods.pseudo_label import PseudoLabel
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import FIRST_SHARE, own, settings_of


def pseudo_label(
    *,
    form: str = "online",
    batch_size: int = 288,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = False,
    **method: Any,
) -> Recipe:
    """Pseudo-Label (Lee 2013). `form="online"`: new guesses at every step; `method`: see `PseudoLabel`.

    `form="two-stage"`: a network trained on the labels alone labels all examples once, and a second one learns from
    these labels from scratch (the form in S4L and LLP). It has no settings of the method. The given labels stay; the
    first network trains a quarter as long as the second; rates are those of the other form.
    """
    if form not in FORMS:
        raise RequestError(f"form is '{form}'; it must be one of {', '.join(FORMS)}.")
    settings = {"form": form, "lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature}
    settings |= {"batch_size": batch_size}
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)
    phases, of_method = FORMS[form](batch_size, optimizer, method)
    return Recipe(name="pseudo-label", phases=phases, l2_feature=l2_feature, settings=settings | of_method)


Phases = tuple[tuple[Phase, ...], dict[str, Any]]  # and the settings of their methods


def _online(batch_size: int, optimizer: Sgd, method: Mapping[str, Any]) -> Phases:
    settings = settings_of(PseudoLabel, {**method, "batch_size": batch_size})
    return (Phase(name="pseudo-label", method=lambda: PseudoLabel(**settings), optimizer=optimizer),), settings


def _two_stage(batch_size: int, optimizer: Sgd, method: Mapping[str, Any]) -> Phases:
    if method:
        raise RequestError(
            f"form='two-stage' has no setting {', '.join(method)}; leave it out, or choose the other form."
        )
    first = Phase(
        name="supervised",
        method=lambda: Supervised(batch_size=batch_size),
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(
        name="pseudo-label",
        method=lambda: LabelsOnce(batch_size=batch_size),
        optimizer=optimizer,
        from_scratch=True,
    )
    return (first, second), {}


FORMS: Mapping[str, Callable[[int, Sgd, Mapping[str, Any]], Phases]] = {"online": _online, "two-stage": _two_stage}


VOTE = {"n_neighbors": 200, "temperature": 0.1}  # of the released code
FRACTION = 0.2  # of the unlabeled examples (the released code, CIFAR-10 at 250 labels)


def dmt(
    *,
    batch_size: int = 128,
    lr: float = 0.01,
    metric_lr: float = 0.03,
    weight_decay: float = 5e-4,
    l2_feature: bool = False,
    dim: int = 128,
    temperature: float = 0.1,
    momentum: float = 0.5,
    source: str = "spectral-cut",
    n_neighbors: int = 20,
    n_eigenvectors: int = 200,
    cut_temperature: float = 0.2,
    fraction: float | None = None,
    weighted: bool = False,
) -> Recipe:
    """Deep Metric Transfer (Liu et al. 2018): instance recognition, labels found once in its embedding, theirs.

    `source="spectral-cut"` is one normalized cut, with `n_neighbors`, `n_eigenvectors` and `cut_temperature`;
    `source="knn"` the paper's simpler form, a vote of the nearest labeled rows. The most certain 20% of these labels
    count, all alike (the released code); `weighted=True` is the paper's form, all of them by their certainty.
    `fraction` says another share. `dim`, `temperature`, `momentum` are of the instance recognition. Both phases are
    equally long, as on CIFAR-10. Departs: one cosine in the first phase where the code restarts it six times, and
    both end at 0 where the code ends at 1e-5.
    """
    settings = dict(locals())
    kept = fraction if fraction is not None else 1.0 if weighted else FRACTION
    cut = {"n_neighbors": n_neighbors, "n_eigenvectors": n_eigenvectors, "temperature": cut_temperature}
    found_by = {"spectral-cut": cut, "knn": VOTE}
    if source not in found_by:
        raise RequestError(f"source is '{source}'; it must be one of {', '.join(found_by)}.")

    def labels() -> LabelsOnce:
        return LabelsOnce(
            batch_size=batch_size, source=source, fraction=kept, weighted=weighted, parameters=found_by[source]
        )

    def phase(name: str, method: Callable[[], Method], rate: float) -> Phase:
        optimizer = Sgd(lr=rate, weight_decay=weight_decay)
        return Phase(name=name, method=method, optimizer=optimizer, schedule=partial(cosine, stretch=1))

    phases = (phase("ir", lambda: Instance(**own(Instance, settings)), metric_lr), phase("dmt", labels, lr))
    return Recipe(name="dmt", phases=phases, l2_feature=l2_feature, settings=settings)


def tdcnn(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Min-max features (Shi et al. 2018), experimental: labels alone, then the network's guesses. See `MinMax`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(MinMax, method)
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)
    first = Phase(
        name="supervised",
        method=lambda: Supervised(batch_size=settings["batch_size"]),
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(
        name="tdcnn", method=lambda: MinMax(**own(MinMax, settings)), optimizer=optimizer, keep_optimizer=True
    )
    return Recipe(name="tdcnn", phases=(first, second), l2_feature=l2_feature, settings=settings)
