"""Flags of the commands: those that several verbs share, and those that come from the registry's tables."""

from __future__ import annotations

import contextlib
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from labelprop.core import registry
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.recipe_entries import AUTO

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="Folder of images, table (.csv .parquet .jsonl) or arrays.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", help="Table with id, label and optionally weight; or .npy. Repeat for more files."),
]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Truth = Annotated[str | None, typer.Option("--truth", help="Labels of unlabeled rows, for scoring only.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same answer.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Backbone = Annotated[str | None, typer.Option("--backbone", help="HuggingFace folder or name; embeds DATA.")]
LabelCol = Annotated[str | None, typer.Option("--label-col", help="Table column with the labels.")]
IdCol = Annotated[str | None, typer.Option("--id-col", help="Table column with the ids.")]
ImageCol = Annotated[str | None, typer.Option("--image-col", help="Table column with paths or bytes of images.")]
TextCol = Annotated[str | None, typer.Option("--text-col", help="Table column with text.")]
EmbeddingCol = Annotated[str | None, typer.Option("--embedding-col", help="Table column with vectors.")]
TruthCol = Annotated[str | None, typer.Option("--truth-col", help="Table column with the truth, for scoring only.")]
ImageSize = Annotated[int | None, typer.Option("--image-size", help="Bring images to this size in pixels.")]
CacheDir = Annotated[str | None, typer.Option("--cache", help="Where decoded images and embeddings are kept.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse unreadable images instead of skipping them.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace --out if it holds a labelprop run.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


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
            parsed[setting] = registry.parse_value(f"--set {setting}", value, known[setting])
    return parsed


def add_parameter_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Gives `propagate` one flag a constructor parameter of any propagator; not given means its own default."""
    return _with_flags(verb, registry.propagator_parameters(), "method")


def add_setting_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Gives `bench` one flag a setting of any bench; not given means its own default."""
    return _with_flags(verb, registry.bench_settings(), "bench")


def _with_flags(
    verb: Callable[..., None], parameters: Mapping[str, Mapping[str, Any]], owner: str
) -> Callable[..., None]:
    """`verb` with a flag a parameter, whose defaults are given by `owner` (a kind of thing)."""
    signature = inspect.signature(verb, eval_str=True)
    fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    flags = []
    for name, defaults in parameters.items():
        spelled = f"{flag(name)}/--no-{flag(name)[2:]}" if _is_switch(defaults) else flag(name)
        said = typer.Option(
            spelled, help=_help(name, defaults, owner), show_default=False, metavar=_metavar(name, defaults)
        )
        annotation: Any = Annotated[_flag_type(name, defaults) | None, said]
        flags.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))

    @functools.wraps(verb)
    def with_flags(**kwargs: Any) -> None:
        verb(**kwargs)

    with_flags.__signature__ = signature.replace(parameters=[*fixed, *flags])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in [*fixed, *flags]}
    return with_flags


def parse_parameters(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were given (None: was not) as values of the constructor of `method`.

    Raises RequestError for a flag that this method does not have and for a text that cannot be meant.
    """
    known, parsed = registry.propagator_flags(method), {}
    for name, value in given.items():
        if value is None:
            continue
        if name not in known:
            having = registry.propagator_parameters()[name]
            raise RequestError(
                f"{flag(name)} is no flag of --method {method}; it is one of {', '.join(having)}. "
                f"{method} has {', '.join(map(flag, known))}."
            )
        parsed[name] = parse_parameter(name, value) if isinstance(value, str) else value
    return parsed


def parse_bench_settings(bench: str, given: Mapping[str, Any], texts: list[str]) -> dict[str, Any]:
    """Settings of a bench from its flags (None: was not given) and from `--set name=value`.

    Raises RequestError for a flag that this bench does not have, or a setting that is given both ways.
    """
    known, parsed = registry.parameters("benches", bench), parse_settings("benches", bench, texts)
    for name, value in given.items():
        if value is None:
            continue
        if name not in known:
            having = registry.bench_settings()[name]
            raise RequestError(
                f"{flag(name)} is no flag of bench {bench}; it is one of {', '.join(having)}. "
                f"{bench} has {', '.join(map(flag, known))}."
            )
        if name in parsed:
            raise RequestError(f"{flag(name)} and --set {name}=... say the same; leave one out.")
        parsed[name] = (
            parse_parameter(name, value) if isinstance(value, str) and not isinstance(known[name], str) else value
        )
    return parsed


def parse_parameter(name: str, text: str, typed: str = "") -> Any:
    """A flag's text as a value: None, a word, a number, or a list; see `registry.allowed_values`.

    `typed` is how it was given, for errors; else as a flag.
    """
    allowed, typed = registry.allowed_values().get(name), typed or f"{flag(name)} {text}"
    if allowed is None:
        return registry.parse_value(flag(name), text, None)
    words = [part for part in allowed.split("|") if not part.isupper()]
    parts = [part.strip() for part in text.split(",")]
    if text.lower() in words:
        return None if text.lower() == "none" else text.lower()
    if "NAMES" in allowed:
        names = [*(name for name in registry.table("propagators") if name != "auto"), *registry.HEADS]
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


def _is_switch(defaults: Mapping[str, Any]) -> bool:
    return all(isinstance(default, bool) for default in defaults.values())


def _flag_type(name: str, defaults: Mapping[str, Any]) -> Any:
    """What typer reads by itself: numbers and switches; everything else comes as text."""
    allowed = registry.allowed_values().get(name)
    if allowed is not None:
        return str
    kinds = {type(default) for default in defaults.values()}
    return kinds.pop() if len(kinds) == 1 and kinds <= {bool, int, float} else str


def _metavar(name: str, defaults: Mapping[str, Any]) -> str | None:
    allowed = registry.allowed_values().get(name, "")
    return f"[{allowed}]" if "|" in allowed else None


def _help(name: str, defaults: Mapping[str, Any], owner: str) -> str:
    """Defaults and the methods or benches that have the flag: 'Default 50 (diffusion), 10 (poisson).'"""
    methods_of: dict[str, list[str]] = {}
    for method, default in defaults.items():
        methods_of.setdefault(_shown(default), []).append(method)
    everywhere = owner == "method" and len(defaults) == len(registry.table("propagators"))
    meaning = f"{registry.BENCH_SETTINGS[name]} " if owner == "bench" and name in registry.BENCH_SETTINGS else ""
    if len(methods_of) > 1:
        found = ", ".join(f"{value} ({', '.join(names)})" for value, names in methods_of.items())
        return f"{meaning}Default {found}."
    where = "every method" if everywhere else ", ".join(defaults)
    return f"{meaning}Default {next(iter(methods_of))}. For {where}."


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return (
        "none"
        if default is None or default == ""
        else f"{default:g}"
        if isinstance(default, int | float)
        else str(default)
    )
