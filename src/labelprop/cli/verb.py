"""A verb of the command line: its flags come from a request; typed values are passed to it by name."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand

from labelprop.cli.flags import HELP_GROUPS, with_flags
from labelprop.cli.session import guarded, reporting
from labelprop.runs.request import Request

Typed = dict[str, Any]


class Printed(NamedTuple):
    """What a verb prints on stdout, and its exit status."""

    text: str
    status: int = 0


class GroupedCommand(TyperCommand):
    """Help with the flags under headings, and for a flag that there is not the nearest one first."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # typer has a click of its own, or the installed one
            near = getattr(error, "possibilities", None)
            if type(error).__name__ != "NoSuchOption" or not near:
                raise
            typed: str = error.option_name  # type: ignore[attr-defined]
            nearest, *others = sorted(near, key=lambda name: -SequenceMatcher(None, typed, name).ratio())
            also = f" There is also {', '.join(others)}." if others else ""
            error.message = f"There is no {typed}; did you mean {nearest}?{also}"  # type: ignore[attr-defined]
            error.possibilities = None  # type: ignore[attr-defined]
            raise

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{title: [] for title in HELP_GROUPS.values()}}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                title = HELP_GROUPS.get(getattr(parameter, "rich_help_panel", ""), "Output")
                groups["Arguments" if parameter.param_type_name == "argument" else title].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def add_verb(
    app: typer.Typer,
    kind: type[Request],
    extra: Callable[[], list[Any]] = list,
    command: type[GroupedCommand] = GroupedCommand,
) -> Callable[[Callable[[Typed], Printed]], Callable[[Typed], Printed]]:
    """Decorator: a function of typed values becomes the verb of its name, with flags for `kind` and the `extra` ones.

    `Typed` holds by name only what was typed, and besides `reporter` and `command` (see `Request`).
    """

    def add(verb: Callable[[Typed], Printed]) -> Callable[[Typed], Printed]:
        @guarded
        def run(context: typer.Context, debug: bool, quiet: bool = not kind.shows_progress, **values: Any) -> None:
            typed = {name: value for name, value in values.items() if _was_typed(context, name)}
            with reporting(quiet) as reporter:
                printed = verb(typed | {"reporter": reporter, "command": shlex.join(["labelprop", *sys.argv[1:]])})
            if printed.text:  # not before the bar is gone: what is printed beside it goes to stderr, as the bar does
                print(printed.text)
            if printed.status:
                raise typer.Exit(printed.status)

        run.__doc__ = verb.__doc__
        app.command(verb.__name__, cls=command)(with_flags(kind, run, extra()))
        return verb

    return add


def _was_typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
