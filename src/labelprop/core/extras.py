"""Packages that only some installations have."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from labelprop.core.errors import RequestError


def require(module: str, extra: str, asked: str) -> Any:
    """A module of an optional package. Raises RequestError with the command that installs it for what is `asked`."""
    try:
        return import_module(module)
    except ImportError as error:
        raise RequestError(f"{asked} needs the package {module}: pip install 'labelprop[{extra}]'") from error
