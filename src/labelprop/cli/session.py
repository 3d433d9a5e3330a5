"""What a command does around its work: progress on stderr, and errors as one line with the right exit status."""

from __future__ import annotations

import functools
import os
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

from labelprop.core import registry
from labelprop.core.display import shown
from labelprop.core.errors import LabelpropError
from labelprop.core.progress import WARNING, Reporter, RunWarning


def guarded(verb: Callable[..., None]) -> Callable[..., None]:
    """Turns errors into one line on stderr and the contract's exit status; --debug adds the traceback."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            verb(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, typer.Exit):
                raise
            if isinstance(error, BrokenPipeError):  # the reader has closed the pipe, as `head` does
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(exit_status(error)) from None
            if kwargs.get("debug"):
                traceback.print_exc()
            print(f"labelprop: {explain(error)}", file=sys.stderr)
            raise typer.Exit(exit_status(error)) from None

    return run


def explain(error: BaseException) -> str:
    if isinstance(error, LabelpropError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return _interrupted(sys.argv[1:])
    if isinstance(error, MemoryError):
        return "out of memory; use a smaller --image-size, fewer rows, or a machine with more."
    if type(error).__name__ == "OutOfMemoryError":  # torch's, named so that torch need not be imported here
        return "the GPU is out of memory; use fewer rows, a smaller --image-size, or --device cpu."
    if type(error).__name__ in ("BackendCompilerFailed", "InvalidCxxCompiler", "InductorError"):
        return "torch.compile does not work here (it needs a C++ compiler, on a GPU Triton); leave out --compile."
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}"
    text = f"{type(error).__name__}: {error}"
    return _of_plugin(error, text) or f"unexpected {text} (this is a bug; run again with --debug and report it)"


def _interrupted(typed: list[str]) -> str:
    """What goes on from here: a training with --resume, a bench by itself; the rest starts again."""
    verb = next(iter(typed), "")
    if verb not in ("train", "bench"):
        return "interrupted; the same command starts again."
    kept = [word for word in typed if word != "--overwrite"]
    resume = ["--resume"] if verb == "train" and "--resume" not in typed else []
    return f"interrupted; what was finished is saved. To go on: {shlex.join(['labelprop', *kept, *resume])}"


def _of_plugin(error: BaseException, text: str) -> str | None:
    """The line of an installed package's code that the error passed through, the innermost; None if it is ours."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        added = registry.added_by(frame.f_globals.get("__name__", ""))
        if added is not None:
            return f"{added}: {frame.f_code.co_filename}:{line}: {text} (--debug shows the whole traceback)"
    return None


def exit_status(error: BaseException) -> int:
    if isinstance(error, LabelpropError):
        return error.exit_status
    return 130 if isinstance(error, KeyboardInterrupt) else 1


@contextmanager
def reporting(quiet: bool) -> Iterator[Reporter]:
    """As `shown`; warnings are lines like any other, with --quiet too."""
    with shown(quiet) as reporter, warned(_to_stderr if quiet else reporter.say):
        yield reporter


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr)


@contextmanager
def warned(say: Callable[[str], None]) -> Iterator[None]:
    """Inside, a warning is one line, without the place in the code that it came from."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"{WARNING}{message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", RunWarning)
        warnings.showwarning = show
        yield
