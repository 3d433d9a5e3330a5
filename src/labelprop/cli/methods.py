"""`labelprop methods NAME`: what a propagator or recipe does, its settings, and what they mean."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.core.recipe_entries import AUTO, AUTO_SUMMARY


def described(name: str) -> str:
    """As text. Raises UnknownNameError."""
    if name == AUTO:
        return f"recipe {AUTO}  {AUTO_SUMMARY}\n\npropagator {_described(AUTO)}"
    return _described(name)


def _described(name: str) -> str:
    propagators, recipes = registry.entries("propagators"), registry.entries("recipes")
    entry = propagators.get(name) or recipes.get(name)
    if entry is None:
        known = {*propagators, *recipes, AUTO}
        raise UnknownNameError(
            "propagator or recipe", name, known, elsewhere=registry.elsewhere("propagators", "recipes")
        )
    if name in propagators:
        settings, flag = registry.propagator_flags(name), "labelprop propagate --{}"
        docs = [_documented(entry.load())]
    else:
        settings, flag = dict(registry.parameters("recipes", name)), "labelprop train --set {}=VALUE"
        docs = [_doc(entry.load()), *_of_methods(entry.load()())]
    listed = "\n".join(f"  {key} = {value}" for key, value in settings.items())
    usage = flag.format("NAME" if name in recipes else "NAME VALUE")
    return "\n\n".join([f"{name}  {entry.summary}", *docs, f"settings ({usage}) and their defaults:\n{listed}"])


def _doc(thing: Any) -> str:
    return inspect.cleandoc(inspect.getdoc(thing) or "")


def _documented(kind: type) -> str:
    """The docstring of a class, with its inherited parameters from the docstrings of its bases."""
    parts = [_doc(base).partition("Parameters\n----------\n")[2] for base in kind.__mro__[1:] if is_dataclass(base)]
    shared = "\n".join(filter(None, parts))
    return f"{_doc(kind)}\n\nParameters that it shares with others\n----------\n{shared}" if shared else _doc(kind)


def _of_methods(recipe: Any) -> list[str]:
    """The docstrings of the methods of its phases, each once."""
    from labelprop.methods.base import Method, Sum

    found: Mapping[type, None] = {
        type(part): None
        for phase in recipe.phases
        for part in phase.method.modules()
        if isinstance(part, Method) and not isinstance(part, Sum)
    }
    return [f"{kind.__name__}: {_documented(kind)}" for kind in found]
