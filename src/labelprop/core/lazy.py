"""Lazy re-exports: names that a package hands on, each imported at its first use."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def handed_on(
    package: str, **computed: Callable[[], Any]
) -> tuple[list[str], Callable[[str], Any], Callable[[], list[str]]]:
    """`__all__`, `__getattr__` and `__dir__` of a package that hands on what it imports `if TYPE_CHECKING:`.

    That block is read from its source, so that one list serves type checkers, readers and Python. `computed` are
    further names, made when they are asked for.
    """
    loader: Any = sys.modules[package].__spec__.loader  # type: ignore[union-attr]
    homes: dict[str, str] = {}
    for block in ast.parse(loader.get_source(package)).body:
        for line in block.body if isinstance(block, ast.If) else ():
            if isinstance(line, ast.ImportFrom) and line.module:
                homes |= {name.asname or name.name: line.module for name in line.names}

    def get(name: str) -> Any:
        if name in computed:
            return computed[name]()
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(homes[name]), name)

    names = sorted([*homes, *computed])
    return names, get, lambda: names
