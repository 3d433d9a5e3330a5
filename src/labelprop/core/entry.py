"""A line of the registry: where an object lives, and what it is for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labelprop.core.errors import RequestError


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an object lives (`module:attribute`), what it is for, and its parameters with their defaults.

    A recipe's parameters may be left out: they are then the `settings` of the recipe that it builds by default.
    `package` is the installed package that adds it, "" for ours; the registry fills it in.
    """

    target: str
    summary: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    package: str = ""

    def load(self) -> Any:
        """The object that the target names. Raises RequestError where another package's cannot be imported."""
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            if module.startswith("labelprop."):
                raise
            raise RequestError(
                f"'{self.target}', which an installed package adds ({self.summary}), cannot be loaded: {error}. "
                "Repair or uninstall that package."
            ) from error
