"""Recipes: each a short function of its settings, one file a family. `--set name=value` reaches every one of them.

`paper_dlp` and `paper_llp` hold the rows of the papers' tables, with their data, networks and schedules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.methods.phases import Recipe


def build(wanted: str | Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe of this name with its defaults overridden by `settings`; or the recipe that was given, as it is.

    Raises UnknownNameError for an unknown recipe or setting, RequestError for a value it cannot use.
    """
    if isinstance(wanted, Recipe):
        if settings:
            raise RequestError(f"the recipe {wanted.name} is given ready made; make it with these settings instead.")
        return wanted
    known = registry.parameters("recipes", wanted)
    for key in settings:
        if key not in known:
            raise UnknownNameError(f"setting of recipe {wanted}", key, known)
    entry = registry.lookup("recipes", wanted)
    recipe = entry.load()(**settings)
    if not isinstance(recipe, Recipe):
        raise RequestError(f"recipe {wanted}: '{entry.target}' returns {recipe!r}, which is no Recipe.")
    return recipe


def check_serves(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """Raises RequestError where a method of the recipe refuses examples of this shape, naming recipes that do not."""
    why = refusal(recipe, shape)
    if why is not None:
        able = ", ".join(serving(shape))
        raise RequestError(f"recipe {recipe.name} {why}. Recipes that take these data: {able}.")


def serving(shape: tuple[int, ...]) -> list[str]:
    """Names of the recipes whose methods learn from examples of this shape, (C, H, W) or (D,)."""
    return [name for name in registry.entries("recipes") if refusal(build(name, {}), shape) is None]


def refusal(recipe: Recipe, shape: tuple[int, ...]) -> str | None:
    """Why some method of the recipe cannot learn from examples of this shape, as a predicate; None if all can."""
    return next((why for phase in recipe.phases if (why := phase.refuses(shape)) is not None), None)
