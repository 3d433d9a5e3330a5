"""Messages with the names of parameters, for calls from Python.

Messages are written once, as the command line says them: `--resume`, `--image-size 64`, `--set lr=0.1`. From Python
they say `resume=True`, `image_size=64` and `settings={'lr': 0.1}`; `--labels` without a value is `labels=`. A command
without arguments, or of nothing but where it writes, is a call.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from labelprop.core import registry
from labelprop.core.bundled import BACKBONES
from labelprop.core.errors import LabelpropError
from labelprop.core.progress import Passing
from labelprop.runs import requests
from labelprop.runs.request import OPTION, Request

SETTING = re.compile(r"(?<![\w-])--set (\w+)=(\.\.\.|[\w.+-]*\w)?")
FLAG = re.compile(
    r"(?<![\w-])--(?P<name>[a-z]\w*(?:-\w+)*)(?: (?P<value>'[^']*'|-?\d[\w.]*\b|\S*/\S*[\w/]|[\w+-]+))?"
)
COMMAND = re.compile(
    r"`labelprop (?P<verb>train|propagate|embed|predict|select|doctor)(?P<rest> \.\.\.(?: --out (?P<out>[^`]*))?)?`"
)
WORDS = ("auto", "cpu", "cuda", "frozen", "lora", "full", "float32", "bf16", "labels")  # beside the registry's names


@contextmanager
def parameters_named() -> Iterator[None]:
    """Inside, errors that this package raises on purpose speak of parameters."""
    try:
        yield
    except LabelpropError as error:
        error.args = tuple(as_parameters(part) if isinstance(part, str) else part for part in error.args)
        raise


class NamingParameters(Passing):
    """A reporter whose messages speak of parameters."""

    def say(self, text: str) -> None:
        super().say(as_parameters(text))


def as_parameters(text: str) -> str:
    """`text` with parameters for flags; what stands in backticks as a command with its arguments stays one."""
    parts = re.split(r"(`labelprop [^`]*`)", COMMAND.sub(_call, text))
    return "".join(part if place % 2 else _without_flags(part) for place, part in enumerate(parts))


def _call(found: re.Match[str]) -> str:
    out = f"..., out='{found['out']}'" if found["out"] else "..."
    return f"`labelprop.{found['verb']}({out})`"


def _without_flags(text: str) -> str:
    return FLAG.sub(_parameter, SETTING.sub(_setting, text))


def _setting(found: re.Match[str]) -> str:
    name, value = found[1], found[2] or ""
    return f"settings={{'{name}': {value if value == '...' else _literal(value)}}}"


def _parameter(found: re.Match[str]) -> str:
    name, value = found["name"], found["value"]
    rest = "" if value is None else f" {value}"
    switch = _switches().get(f"--{name}")
    if switch is not None:
        return f"{switch}{rest}"
    if name.startswith("no-"):
        return f"{name[3:].replace('-', '_')}=False{rest}"
    python = name.replace("-", "_")
    is_value = value is not None and _is_value(value, found.string[found.end() :])
    return f"{python}={_literal(value) if is_value else rest}"


def _is_value(text: str, rest: str) -> bool:
    """Whether what follows a flag is its value: of words those that are known, or of which something is said."""
    known = text[0] in "'-0123456789" or "/" in text or text in _words()
    return known or re.match(r" (is|must|cannot|exists)\b", rest) is not None


def _literal(text: str) -> str:
    return text if re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?|'[^']*'", text) else f"'{text}'"


@cache
def _words() -> frozenset[str]:
    named = (name for table in ("recipes", "propagators", "models") for name in registry.entries(table))
    return frozenset([*named, *registry.AUGMENTS, *BACKBONES, *WORDS])


@cache
def _switches() -> dict[str, str]:
    """`resume=True` for --resume: the flags without a value of all requests."""
    found: dict[str, str] = {}
    kinds = (each for each in vars(requests).values() if isinstance(each, type) and issubclass(each, Request))
    for kind in kinds:
        for name, one in kind.options().items():
            option = one.metadata[OPTION]
            if option.kind is bool:
                on, _, off = (option.flag or f"--{name.replace('_', '-')}").partition("/")
                found |= {on: f"{name}=True"} | ({off: f"{name}=False"} if off else {})
    return found
