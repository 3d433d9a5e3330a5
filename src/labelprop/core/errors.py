"""The exception tree.

LabelpropError                    anything this package raises on purpose
├── RequestError (ValueError)     the request was wrong: a parameter, a file, a row        exit status 2
│   ├── DataError                 the examples or labels cannot be used as they are
│   └── UnknownNameError          a method, recipe, model or parameter that does not exist
└── WorkError (RuntimeError)      the request was fine, the work failed                    exit status 1
    ├── NonFiniteLossError        training diverged
    └── StorageError              a file could not be written: full disk, no permission

Every message names the file, row or parameter and says what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

ALSO_CALLED = {"lr": "rate", "n_neighbors": "k"}  # settings, and what others call them


class LabelpropError(Exception):
    """Base of all errors raised on purpose; its text is meant for the user."""

    exit_status = 1


class RequestError(LabelpropError, ValueError):
    """The request was wrong."""

    exit_status = 2


class DataError(RequestError):
    """The examples or labels cannot be used as they are."""


class UnknownNameError(RequestError):
    """A name that is not known; the message suggests the nearest one, by spelling, as a part of it, or by meaning.

    It lists the first `limit` of those that are known, by default all. `elsewhere` are names that belong to another
    place, and what they are there.
    """

    def __init__(
        self,
        kind: str,
        name: object,
        known: Iterable[str],
        limit: int | None = None,
        elsewhere: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        choices, name = sorted(known), str(name)
        self.name, self.nearest = name, nearest(name, choices)
        other = None if self.nearest else nearest(name, elsewhere)
        hint = f"; did you mean '{self.nearest or other}'?" if self.nearest or other else "."
        if name in elsewhere:
            hint = f"; that is {elsewhere[name]}."
        elif other:
            hint += f" That is {elsewhere[other]}."
        shown = ", ".join(choices[:limit]) or "none"
        more = f" and {len(choices) - limit:,} more" if limit is not None and len(choices) > limit else ""
        super().__init__(f"unknown {kind} '{name}'{hint} Known: {shown}{more}.")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name nearest by spelling, or that has `name` as a part or means the same; None where none is near."""
    choices = [*known]
    spelled = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(name, choices, n=1, cutoff=0.6)
    near = near or [spelled[one] for one in difflib.get_close_matches(name.lower(), spelled, n=1, cutoff=0.6)]
    near = near or [choice for choice in choices if name in (*choice.split("_"), ALSO_CALLED.get(choice))]
    return near[0] if near else None


class WorkError(LabelpropError, RuntimeError):
    """The request was fine, the work failed."""


class NonFiniteLossError(WorkError):
    """Training produced a loss that is not finite."""


class StorageError(WorkError):
    """A file could not be written."""
