"""The Python function of a request: keywords are its fields; progress is shown unless `quiet`, and errors name
parameters.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import MISSING, replace
from typing import Any, TypeVar

from labelprop.core.display import shown
from labelprop.core.errors import RequestError
from labelprop.core.progress import Silent, noting
from labelprop.core.ranks import leads
from labelprop.core.threads import fitting_threads
from labelprop.runs.parameter_names import NamingParameters, parameters_named
from labelprop.runs.request import OPTION, Request

Result = TypeVar("Result")


def signature(kind: type[Request]) -> inspect.Signature:
    """The signature of the Python function that takes this request."""
    positional, named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    parameters = []
    for name, one in kind.options().items():
        if name not in kind.command_only:
            where = positional if one.metadata[OPTION].positional else named
            default = one.default if one.default_factory is MISSING else None
            default = inspect.Parameter.empty if default is MISSING else default
            parameters.append(inspect.Parameter(name, where, default=default, annotation=one.type))
    parameters.append(inspect.Parameter("quiet", named, default=False, annotation="bool"))
    parameters.append(inspect.Parameter("reporter", named, default=None, annotation="Reporter | None"))
    parameters.append(inspect.Parameter("command", named, default="", annotation="str"))
    return inspect.Signature(sorted(parameters, key=lambda one: (one.kind, one.default is not one.empty)))


Check = Callable[[Any], None]


def from_names(kind: type[Request], check: Check) -> Callable[[Callable[[Any], Result]], Callable[..., Result]]:
    """Decorator: a function of a request becomes one of keywords, whose docstring gives their meaning.

    `check` is called first, and raises RequestError where the request is wrong.
    """
    taken = signature(kind)
    first = [name for name, one in taken.parameters.items() if one.kind is not inspect.Parameter.KEYWORD_ONLY]

    def made(work: Callable[[Any], Result]) -> Callable[..., Result]:
        @functools.wraps(work)
        def by_name(*values: Any, **options: Any) -> Result:
            if len(values) > len(first):
                raise RequestError(f"{work.__name__} takes {', '.join(first)} without a name; name the other values.")
            given = dict(zip(first, values, strict=False))
            if twice := given.keys() & options.keys():
                raise RequestError(f"{work.__name__}: {', '.join(sorted(twice))} is given twice.")
            return call(work, kind, given | options, check)

        returned = inspect.signature(work).return_annotation
        by_name.__signature__ = taken.replace(return_annotation=returned)  # type: ignore[attr-defined]
        by_name.__doc__ = f"{inspect.cleandoc(work.__doc__ or '')}\n\n{parameters_of(kind)}"
        return by_name

    return made


FLAG_NAME = re.compile(r"--([a-z]\w*(?:-\w+)*)")


def _parameter_name(found: re.Match[str]) -> str:
    return f"`{found[1].replace('-', '_')}`"


def parameters_of(kind: type[Request]) -> str:
    """The Parameters section of that docstring."""
    lines = (
        f"{name} : {FLAG_NAME.sub(_parameter_name, one.metadata[OPTION].in_python)}"
        for name, one in kind.options().items()
        if name not in kind.command_only
    )
    quiet = "quiet : No progress; warnings come as Python's."
    return "\n".join(["Parameters", "----------", *lines, quiet])


def call(work: Callable[[Any], Result], kind: type[Request], options: Mapping[str, Any], check: Check) -> Result:
    """`work` on the checked request of these options; from Python with progress and errors for a person at Python."""
    given = dict(options)
    if given.get("reporter", 0) is None:
        del given["reporter"]
    if given.get("command"):  # from the command line, which shows progress itself
        return _checked(work, kind.of(given), check)
    quiet = bool(given.pop("quiet", False)) or not kind.shows_progress
    with parameters_named(), shown(quiet) if leads() else nullcontext(Silent()) as reporter:
        return _checked(work, kind.of({"reporter": NamingParameters(reporter)} | given), check)


def _checked(work: Callable[[Any], Result], request: Request, check: Check) -> Result:
    check(request)
    hears = request.reporter if request.keeps_threads else Silent()  # of the choice, where it stays with the result
    with fitting_threads(hears, request.kept_threads), noting(request.reporter) as reporter:
        return work(replace(request, reporter=reporter))
