"""Objects of the caller that are told of each step, each epoch and the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from labelprop.core.errors import RequestError

EVENTS = ("on_epoch", "on_step", "on_end")


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Objects with some of the methods `on_epoch(record)`, `on_step(progress)` and `on_end(run)`."""

    objects: tuple[Any, ...] = ()

    @classmethod
    def of(cls, given: Any, events: Sequence[str] = EVENTS) -> Self:
        """From None, one object or a list. Raises RequestError for an object that could be told of no event."""
        if isinstance(given, cls):
            return given
        several = isinstance(given, list | tuple)
        objects = tuple(given) if several else () if given is None else (given,)
        for one in objects:
            if isinstance(one, type):
                raise RequestError(f"callbacks={one.__name__} is a class; pass an object of it: {one.__name__}().")
            if not any(callable(getattr(one, event, None)) for event in events):
                raise RequestError(
                    f"callbacks={one!r} has no method that would be called here; it needs {' or '.join(events)}."
                )
        return cls(objects)

    def tell(self, event: str, what: Any) -> None:
        """Calls the method of this name where there is one. What it raises is not caught."""
        for one in self.objects:
            method = getattr(one, event, None)
            if method is not None:
                method(what)
