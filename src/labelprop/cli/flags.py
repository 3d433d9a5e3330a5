"""Flags: those that a verb's request asks for, and those of propagators and benches from the registry's tables."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from typing import Annotated, Any, get_args

import typer

from labelprop.cli.values import flag
from labelprop.core import registry
from labelprop.core.bench_entries import BENCH_SETTINGS
from labelprop.runs.request import OPTION, HelpGroup, Option, Request

# Headings of the help text, in this order.
HELP_GROUPS = {name: name.capitalize() for name in get_args(HelpGroup)}
QUIET = Annotated[bool, typer.Option("--quiet", help="No progress, only warnings.", rich_help_panel="output")]
DEBUG = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel="output")]


def with_flags(kind: type[Request], verb: Callable[..., None], extra: list[inspect.Parameter]) -> Callable[..., None]:
    """`verb` with the signature that typer reads: a flag for each option of the request, and the `extra` ones.

    It is called with the context and all values by name, typed or not.
    """
    parameters = [
        inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *_of_request(kind),
        *extra,
        *([_parameter("quiet", QUIET, False)] if kind.shows_progress else []),
        _parameter("debug", DEBUG, False),
    ]

    @functools.wraps(verb)
    def taking_flags(**given: Any) -> None:
        verb(**given)

    taking_flags.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    taking_flags.__annotations__ = {one.name: one.annotation for one in parameters}
    return taking_flags


def _of_request(kind: type[Request]) -> list[inspect.Parameter]:
    found = []
    for name, one in kind.options().items():
        if name in kind.python_only:
            continue
        option: Option = one.metadata[OPTION]
        missing = one.default is MISSING and one.default_factory is MISSING
        needed = option.required or missing
        default = inspect.Parameter.empty if needed else None if one.default is MISSING else one.default
        if option.positional and (option.metavar or needed):
            flag_option: Any = typer.Argument(metavar=option.metavar or name.upper(), help=option.help)
        else:
            flag_option = typer.Option(
                option.flag or flag(name),
                help=option.help,
                rich_help_panel=option.group,
                **_parsing(option.kind, option.metavar),
            )
        typed = option.kind if needed or default is not None else option.kind | None
        found.append(_parameter(name, Annotated[typed, flag_option], default))
    return found


def _parsing(kind: Any, metavar: str | None) -> dict[str, Any]:
    """How a flag's text is read; that of a number by us, since the error has to name what was typed."""
    if kind not in (int, float):
        return {"metavar": metavar}
    word, names = ("a whole number", "<int>") if kind is int else ("a number", "<float>")

    def number(text: Any) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise typer.BadParameter(f"'{text}' is not {word}.") from None

    return {"metavar": metavar or names, "parser": number}


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def propagator_flags() -> list[inspect.Parameter]:
    """One flag a constructor parameter of any propagator; left out, each propagator's default holds."""
    return _of_registry(registry.propagator_parameters(), "method")


def bench_flags() -> list[inspect.Parameter]:
    """One flag a setting of any bench; left out, each bench's default holds."""
    return _of_registry(registry.bench_settings(), "bench")


def _of_registry(parameters: Mapping[str, Mapping[str, Any]], owner: str) -> list[inspect.Parameter]:
    """A flag a parameter, whose defaults are given by `owner` (a kind of thing)."""
    flags = []
    for name, defaults in parameters.items():
        spelled = f"{flag(name)}/--no-{flag(name)[2:]}" if _is_switch(defaults) else flag(name)
        flag_option = typer.Option(
            spelled,
            help=_help(name, defaults, owner),
            show_default=False,
            rich_help_panel="method" if owner == "method" else "settings",
            **_parsing(kind := _flag_type(name, defaults), _metavar(name)),
        )
        annotation: Any = Annotated[kind | None, flag_option]
        flags.append(_parameter(name, annotation, None))
    return flags


def _is_switch(defaults: Mapping[str, Any]) -> bool:
    return all(isinstance(default, bool) for default in defaults.values())


def _flag_type(name: str, defaults: Mapping[str, Any]) -> Any:
    """The type that typer parses itself: numbers and switches; everything else comes as text."""
    allowed = registry.allowed_values().get(name)
    if allowed is not None:
        return str
    kinds = {type(default) for default in defaults.values()}
    return kinds.pop() if len(kinds) == 1 and kinds <= {bool, int, float} else str


def _metavar(name: str) -> str | None:
    allowed = registry.allowed_values().get(name, "")
    return f"[{allowed}]" if "|" in allowed else None


def _help(name: str, defaults: Mapping[str, Any], owner: str) -> str:
    """Defaults and the methods or benches that have the flag: 'Default 50 (diffusion), 10 (poisson).'

    A default that is the only value of some methods is 'cosine alone (diffusion)'.
    """
    methods_of: dict[str, list[str]] = {}
    for method, default in defaults.items():
        alone = owner == "method" and registry.words_of(method, name) == [default]
        methods_of.setdefault(f"{_shown(default)} alone" if alone else _shown(default), []).append(method)
    everywhere = owner == "method" and len(defaults) == len(registry.entries("propagators"))
    meaning = f"{BENCH_SETTINGS[name]} " if owner == "bench" and name in BENCH_SETTINGS else ""
    if len(methods_of) > 1:
        found = ", ".join(f"{value} ({', '.join(names)})" for value, names in methods_of.items())
        return f"{meaning}Default {found}."
    where = "every method" if everywhere else ", ".join(defaults)
    return f"{meaning}Default {next(iter(methods_of))}. For {where}."


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    if default is None or default == "":
        return "none"
    return f"{default:g}" if isinstance(default, int | float) else str(default)
