"""How a recipe is written: a function from its settings to its phases; the settings are its methods' and its own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.text import short_repr
from labelprop.methods.base import Method, Sum
from labelprop.methods.phases import Phase, Recipe, Sgd
from labelprop.methods.supervised import Supervised

FIRST_SHARE = 1 / 4  # of the main phase: the length of a phase before it
RATES: Mapping[str, Any] = {"lr": 0.05, "weight_decay": 2e-4, "l2_feature": False}  # where a recipe says no other

Kind = TypeVar("Kind", bound=Method)
Value = TypeVar("Value")


def defaults(kind: Callable[..., Any], *names: str) -> dict[str, Any]:
    """Parameters of a method or a propagator with the defaults of its constructor: those named, or all."""
    known = inspect.signature(kind).parameters
    return {name: known[name].default for name in names or known}


def pick(what: str, name: str, known: Mapping[str, Value]) -> Value:
    """The value of that name. Raises UnknownNameError that lists what there is."""
    if name not in known:
        raise UnknownNameError(what, name, known)
    return known[name]


def check_kind(what: str, value: Any, default: Any) -> None:
    """Raises RequestError where the default is a number or a switch and the value another kind of thing.

    Whether it may be None, and what else is allowed, the method knows that has this parameter.
    """
    if value is None or not isinstance(default, int | float):
        return
    switch = isinstance(value, bool | np.bool_)
    if isinstance(default, bool):
        fits, kind = switch or value in (0, 1), "True or False"
    else:
        fits, kind = isinstance(value, Real) and not switch, "a number"
    if not fits:
        raise RequestError(f"{what}={short_repr(value)} must be {kind}.")


class Settings(dict[str, Any]):
    """The settings of a recipe by name, and what is made of them."""

    def make(self, kind: type[Kind], **others: Any) -> Kind:
        """A method with those of the settings that are parameters of it, and with others."""
        known = inspect.signature(kind).parameters
        return kind(**{name: value for name, value in self.items() if name in known} | others)

    def given_labels(self, over: str = "batch") -> Supervised:
        """Cross-entropy on the labeled part of a batch of both streams."""
        return Supervised(batch_size=self["labeled_batch_size"], over=over)

    def sgd(self, **others: Any) -> Sgd:
        return Sgd(**{"lr": self["lr"], "weight_decay": self["weight_decay"], **others})

    def phase(self, name: str, *methods: Method, **others: Any) -> Phase:
        """A phase of these methods (their `Sum`, if several), optimized by `sgd()` by default."""
        method = methods[0] if len(methods) == 1 else Sum(*methods)
        return Phase(**{"name": name, "method": method, "optimizer": self.sgd(), **others})


def recipe(
    name: str, *parts: Callable[..., Any] | Mapping[str, Any], **own: Any
) -> Callable[[Callable[[Settings], tuple[Phase, ...]]], Callable[..., Recipe]]:
    """Decorator: a function from `Settings` to phases becomes one from keywords to the `Recipe` of this name.

    Its settings are `RATES`, the parameters of these methods (or names with defaults), and its own; later ones
    override. Raises UnknownNameError for another, RequestError for a value of another kind.
    """
    known = dict(RATES)
    for part in parts:
        known |= part if isinstance(part, Mapping) else defaults(part)
    known |= own

    def declared(phases: Callable[[Settings], tuple[Phase, ...]]) -> Callable[..., Recipe]:
        @functools.wraps(phases)
        def made(**given: Any) -> Recipe:
            for key, value in given.items():
                if key not in known:
                    raise UnknownNameError(f"setting of recipe {name}", key, known)
                check_kind(f"setting of recipe {name}: {key}", value, known[key])
            settings = Settings(known | given)
            return Recipe(name=name, phases=phases(settings), l2_feature=settings["l2_feature"], settings=settings)

        keywords = [inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=known[key]) for key in known]
        made.__signature__ = inspect.Signature(keywords, return_annotation=Recipe)  # type: ignore[attr-defined]
        return made

    return declared
