"""Recipes: each a short function of its settings, one file a family. `--set name=value` reaches every one of them.

`paper_dlp` and `paper_llp` hold the rows of the papers' tables, with their data, networks and schedules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.training.phases import Recipe
from labelprop.training.recipes.auxiliary import s4l_exemplar, s4l_rotation
from labelprop.training.recipes.co_trained import dct
from labelprop.training.recipes.combined import fixmatch_dlp, la_llp, mt_llp, uda_llp
from labelprop.training.recipes.consistency import pi, temporal_ensembling, vat, vat_em
from labelprop.training.recipes.diffused import dlp, network_prediction
from labelprop.training.recipes.embedding import ir, la, llp
from labelprop.training.recipes.labels import supervised
from labelprop.training.recipes.pieces import FIRST_SHARE
from labelprop.training.recipes.rate_jump import llp_rj, mean_teacher_rj, supervised_rj
from labelprop.training.recipes.readout import linear_readout
from labelprop.training.recipes.self_training import dmt, pseudo_label, tdcnn
from labelprop.training.recipes.strong import fixmatch, freematch, uda
from labelprop.training.recipes.teacher import mean_teacher, mt_dlp

__all__ = [
    "FIRST_SHARE",
    "Recipe",
    "build",
    "check_serves",
    "dct",
    "dlp",
    "dmt",
    "fixmatch",
    "fixmatch_dlp",
    "freematch",
    "ir",
    "la",
    "la_llp",
    "linear_readout",
    "llp",
    "llp_rj",
    "mean_teacher",
    "mean_teacher_rj",
    "mt_dlp",
    "mt_llp",
    "network_prediction",
    "pi",
    "pseudo_label",
    "s4l_exemplar",
    "s4l_rotation",
    "supervised",
    "supervised_rj",
    "tdcnn",
    "temporal_ensembling",
    "uda",
    "uda_llp",
    "vat",
    "vat_em",
]


def build(wanted: str | Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of this name with its defaults overridden by `settings`; or the recipe that was given, as it is.

    Raises UnknownNameError for an unknown recipe or setting, RequestError for a value it cannot use.
    """
    recipe = wanted if isinstance(wanted, Recipe) else _by_name(wanted, settings)
    if recipe is wanted and settings:
        raise RequestError(f"the recipe {recipe.name} is given ready made; make it with these settings instead.")
    for phase in recipe.phases:
        phase.method()  # refuses settings it cannot use now rather than in the middle of training
    return recipe


def check_serves(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """Raises RequestError where a method of the recipe refuses examples of this shape, naming recipes that do not."""
    why = refusal(recipe, shape)
    if why is not None:
        able = ", ".join(serving(shape))
        raise RequestError(f"recipe {recipe.name} {why}. Recipes that take these data: {able}.")


def serving(shape: tuple[int, ...]) -> list[str]:
    """Names of the recipes whose methods learn from examples of this shape, (C, H, W) or (D,)."""
    return [name for name in registry.table("recipes") if refusal(_by_name(name, {}), shape) is None]


def refusal(recipe: Recipe, shape: tuple[int, ...]) -> str | None:
    """Why some method of the recipe cannot learn from examples of this shape, as a predicate; None if all can."""
    found = (phase.method().refuses(shape) for phase in recipe.phases)
    return next((why for why in found if why is not None), None)


def _by_name(name: str, settings: Mapping[str, Any]) -> Recipe:
    entry = registry.lookup("recipes", name)
    for key in settings:
        if key not in entry.parameters:
            raise UnknownNameError(f"setting of recipe {name}", key, entry.parameters)
    recipe = entry.load()(**settings)
    assert isinstance(recipe, Recipe)
    return recipe
