"""What a constructor parameter may be, as data; every wrong one is reported in one message."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from labelprop.core.errors import RequestError, UnknownNameError


class Rule(Protocol):
    """Allowed values of one parameter."""

    def problem(self, value: Any) -> str | None:
        """What is allowed, where `value` is not; else None."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two bounds, the bounds included unless said otherwise."""

    low: float
    high: float = float("inf")
    whole: bool = False
    low_open: bool = False
    high_open: bool = False
    optional: bool = False

    def problem(self, value: Any) -> str | None:
        if value is None and self.optional:
            return None
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
        return f"a {'whole ' if self.whole else ''}number {bounds}{' or None' if self.optional else ''}"


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of some names."""

    names: tuple[str, ...]
    optional: bool = False

    def problem(self, value: Any) -> str | None:
        if (value is None and self.optional) or (isinstance(value, str) and value in self.names):
            return None
        return "one of " + ", ".join(repr(name) for name in self.names) + (" or None" if self.optional else "")


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""

    def problem(self, value: Any) -> str | None:
        return None if isinstance(value, bool) or type(value).__name__ == "bool" else "True or False"


def check_parameters(owner: str, values: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    """Raises one RequestError for all values that break their rule; a wrong name suggests the nearest."""
    problems = []
    for name, rule in rules.items():
        allowed = rule.problem(values[name])
        if allowed is None:
            continue
        if isinstance(rule, OneOf) and isinstance(values[name], str):
            problems.append(str(UnknownNameError(name, values[name], rule.names)))
        else:
            problems.append(f"{name}={values[name]!r}: must be {allowed}.")
    if problems:
        raise RequestError(f"{owner}: " + " ".join(problems))
