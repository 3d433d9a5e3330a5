"""What a constructor parameter may be, read from its annotation; every wrong one is reported in one message.

`Annotated[int, Number(1, whole=True)]` has bounds, `Literal["a", "b"]` is one of these words, `bool` a flag; `| None`
allows None as well. Values of other annotations are not checked here: what they may be depends on the data.
"""

from __future__ import annotations

import numbers
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np

from labelprop.core.errors import RequestError, UnknownNameError


class Rule(Protocol):
    """Allowed values of one parameter."""

    def problem(self, value: Any) -> str | None:
        """What is allowed, where `value` is something else; otherwise None."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two bounds, the bounds included unless said otherwise."""

    low: float
    high: float = float("inf")
    whole: bool = False
    low_open: bool = False
    high_open: bool = False

    def problem(self, value: Any) -> str | None:
        kind = numbers.Integral if self.whole else numbers.Real
        if isinstance(value, kind) and not isinstance(value, bool):
            number = float(value)
            above = number > self.low if self.low_open else number >= self.low
            below = number < self.high if self.high_open else number <= self.high
            if above and below:
                return None
        bounds = f"{'>' if self.low_open else '>='} {self.low:g}"
        if self.high != float("inf"):
            bounds += f" and {'<' if self.high_open else '<='} {self.high:g}"
        kind_name = "whole " if self.whole else "finite " if self.high_open and self.high == float("inf") else ""
        return f"a {kind_name}number {bounds}"


Count = Annotated[int, Number(1, whole=True)]
Positive = Annotated[float, Number(0, low_open=True)]
NotNegative = Annotated[float, Number(0)]
Finite = Annotated[float, Number(0, high_open=True)]
Share = Annotated[float, Number(0, 1, high_open=True)]
Portion = Annotated[float, Number(0, 1)]
Shares = Sequence[float] | np.ndarray  # (C,), one a class; checked with the seeds


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some names."""

    names: tuple[str, ...]

    def problem(self, value: Any) -> str | None:
        if isinstance(value, str) and value in self.names:
            return None
        return "one of " + ", ".join(repr(name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or False."""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, bool | np.bool_) else "True or False"


@dataclass(frozen=True, slots=True)
class Verbosity:
    """scikit-learn's `verbose`: True, False or a whole number, 0 for silence."""

    def problem(self, value: Any) -> str | None:
        counted = isinstance(value, numbers.Integral) and int(value) >= 0
        return None if counted or isinstance(value, np.bool_) else "True, False or a whole number >= 0"


@dataclass(frozen=True, slots=True)
class OrNone:
    """None, or what another rule allows."""

    rule: Rule

    def problem(self, value: Any) -> str | None:
        allowed = None if value is None else self.rule.problem(value)
        return allowed and f"None or {allowed}"


@cache
def rules_of(kind: type) -> Mapping[str, Rule]:
    """The rules of a class's annotations and of those of its bases, by name."""
    found = {name: _rule(hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
    return {name: rule for name, rule in found.items() if rule is not None}


def _rule(hint: Any) -> Rule | None:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    named = [option for option in options if option is not types.NoneType]
    if len(named) != 1:
        return None
    rule: Rule | None = None
    if get_origin(named[0]) is Annotated:
        rule = next((said for said in named[0].__metadata__ if hasattr(said, "problem")), None)
    elif get_origin(named[0]) is Literal:
        rule = OneOf(get_args(named[0]))
    elif named[0] is bool:
        rule = Boolean()
    return rule if rule is None or len(options) == 1 else OrNone(rule)


def check_parameters(owner: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raises one RequestError for all values that break their rule; a wrong name suggests the nearest."""
    problems = []
    for name, value in values.items():
        rule = rules.get(name)
        allowed = rule.problem(value) if rule else None
        if allowed is None:
            continue
        known = getattr(rule.rule if isinstance(rule, OrNone) else rule, "names", ())
        if known and isinstance(value, str):
            problems.append(str(UnknownNameError(name, value, known)))
        else:
            problems.append(f"{name}={value!r}: must be {allowed}.")
    if problems:
        raise RequestError(f"{owner}: " + " ".join(problems))
