"""Parsing of typed values: flags of propagators and benches, and `--set name=value`."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.recipe_entries import AUTO
from labelprop.core.text import parse_value


def parse_settings(table: str, name: str, texts: list[str]) -> dict[str, Any]:
    """`name=value` texts to values of the types that the entry `name` of a table of the registry gives them."""
    if (table, name) == ("recipes", AUTO):
        if texts:
            raise RequestError(f"--set {texts[0]}: recipe auto has no settings; name the recipe that they belong to.")
        return {}
    known, owner = registry.parameters(table, name), f"{registry.ONE_OF[table]} {name}"
    parsed: dict[str, Any] = {}
    for text in texts:
        setting, equals, value = text.partition("=")
        if not equals:
            raise RequestError(f"--set {text} must have the form name=value.")
        if setting not in known:
            raise UnknownNameError(f"setting of {owner}", setting, known)
        if setting in registry.allowed_values():
            parsed[setting] = parse_parameter(setting, value, f"--set {text}")
        else:
            parsed[setting] = parse_value(f"--set {setting}", value, known[setting])
    return parsed


def parse_parameters(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given (None: was not) as values of the constructor of `method`.

    Raises RequestError for a flag that this method does not have and for a text that is no value of it.
    """
    known = registry.propagator_flags(method)
    values = _of_owner(f"--method {method}", method, known, registry.propagator_parameters(), given)
    parsed = {name: parse_parameter(name, one) if isinstance(one, str) else one for name, one in values.items()}
    for name, value in parsed.items():
        words = registry.words_of(method, name)
        if isinstance(value, str) and words and value not in words:
            others = [other for other in registry.entries("propagators") if value in registry.words_of(other, name)]
            raise RequestError(
                f"{flag(name)} {value} is not for --method {method}, which takes {' or '.join(words)}; it is for "
                f"{', '.join(others)}."
            )
    return parsed


def parse_bench_settings(bench: str, given: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    """Settings of a bench from its flags (None: was not given) and from `--set name=value`.

    Raises RequestError for a flag that this bench does not have, or a setting that is given both ways.
    """
    known, parsed = registry.parameters("benches", bench), parse_settings("benches", bench, texts)
    for name, value in _of_owner(f"bench {bench}", bench, known, registry.bench_settings(), given).items():
        if name in parsed:
            raise RequestError(f"{flag(name)} and --set {name}=... say the same; leave one out.")
        is_text = isinstance(value, str) and not isinstance(known[name], str)
        parsed[name] = parse_parameter(name, value) if is_text else value
    return parsed


def _of_owner(
    subject: str,
    owner: str,
    known: Mapping[str, Any],
    every: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
) -> dict[str, Any]:
    """The flags that were given. Raises RequestError for one that only other owners have."""
    values = {name: value for name, value in given.items() if value is not None}
    for name in values:
        if name not in known:
            raise RequestError(
                f"{flag(name)} is no flag of {subject}; it is one of {', '.join(every[name])}. "
                f"{owner} has {', '.join(map(flag, known))}."
            )
    return values


def parse_parameter(name: str, text: str, typed: str = "") -> Any:
    """A flag's text as a value: None, a word, a number, or a list; see `registry.allowed_values`.

    `typed` is how it was given, for errors; else as a flag.
    """
    allowed, typed = registry.allowed_values().get(name), typed or f"{flag(name)} {text}"
    if allowed is None:
        return parse_value(flag(name), text, None)
    words = [part for part in allowed.split("|") if not part.isupper()]
    parts = [part.strip() for part in text.split(",")]
    if text.lower() in words:
        return None if text.lower() == "none" else text.lower()
    if "NAMES" in allowed:
        names = [*(name for name in registry.entries("propagators") if name != "auto"), *registry.HEADS]
        for part in parts:
            if part not in names:
                raise UnknownNameError(f"name in {typed}:", part, names)
        return parts
    with contextlib.suppress(ValueError):
        if "WHOLE" in allowed:
            return int(text)
        if "NUMBERS" in allowed:
            return [float(part) for part in parts]
    near = difflib.get_close_matches(text.lower(), words, n=1, cutoff=0.6)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise RequestError(f"{typed} must be {_described(allowed)}{hint}")


def flag(name: str) -> str:
    """A parameter as it is typed."""
    return f"--{name.replace('_', '-')}"


def _described(allowed: str) -> str:
    kinds = {
        "NUMBER": "a number",
        "WHOLE": "a whole number",
        "NUMBERS": "numbers with commas (one a class, in their order: 0.2,0.8)",
        "NAMES": "names with commas",
    }
    *first, last = [kinds.get(part, part) for part in allowed.split("|")]
    return f"{', '.join(first)} or {last}" if first else last
