"""A line of the registry: where an object lives, and what it is for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """Where an object lives (`module:attribute`), what it is for, and its parameters with their defaults."""

    target: str
    summary: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Any:
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)
