"""Recipes with a task beside the labels that needs none: S4L (Zhai et al. 2019).

Schedules are the paper's 200 epochs as shares: a warm-up, and drops at epochs 140, 160 and 180. The paper counts
epochs over the labeled images; here one is a pass over the unlabeled ones, as in most recipes.
"""

from __future__ import annotations

from typing import Any

from labelprop.functional.schedule import step, warm_up
from labelprop.methods.copies import Copies
from labelprop.methods.exemplar import Exemplar
from labelprop.methods.rotation import Rotation
from labelprop.training.phases import Phase, Recipe
from labelprop.training.recipes.pieces import own, plain_momentum, settings_of

DROPS = (0.7, 0.8, 0.9)


def s4l_rotation(*, lr: float = 0.03, weight_decay: float = 1e-3, l2_feature: bool = False, **method: Any) -> Recipe:
    """The labels, and by how much an image was turned. `method`: see `Rotation`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(Rotation, method)
    return _s4l("s4l-rotation", Rotation, settings, warm_up_share=5 / 200)


def s4l_exemplar(*, lr: float = 0.1, weight_decay: float = 1e-3, l2_feature: bool = False, **method: Any) -> Recipe:
    """The labels, and which views are of the same example. `method`: see `Exemplar`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(Exemplar, method)
    return _s4l("s4l-exemplar", Exemplar, settings, warm_up_share=10 / 200)


def _s4l(name: str, kind: type[Copies], settings: dict[str, Any], *, warm_up_share: float) -> Recipe:
    main = Phase(
        name=name,
        method=lambda: kind(**own(kind, settings)),
        optimizer=plain_momentum(settings),
        schedule=warm_up(step(*DROPS), warm_up_share),
    )
    return Recipe(name=name, phases=(main,), l2_feature=settings["l2_feature"], settings=settings)
