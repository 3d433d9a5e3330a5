"""Progress as a person sees it: a bar on a terminal and in a notebook, plain lines elsewhere, or warnings alone.

All of it goes to stderr, so that stdout carries results only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from types import TracebackType
from typing import Self, TextIO

from labelprop.core.eta import Eta
from labelprop.core.progress import COUNTING, Reporter, WarningsOnly
from labelprop.core.text import a_second, about

FIRST_LINE_AFTER_S = 3.0  # work that ends sooner needs no line
LINE_EVERY_S = 15.0  # often enough to see it live, seldom enough for a log


def _remaining(stage: str, eta: Eta, seconds: float) -> str:
    """Time left; in a stage that counts examples, how many a second too."""
    pace = f"{a_second(eta.pace)}, " if stage.startswith(COUNTING) and eta.pace else ""
    return f"{pace}{about(seconds)} left"


class ProgressLines:
    """Plain lines for logs: the first after a few seconds, then one every quarter of a minute."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._eta = Eta()
        self._next = time.monotonic() + FIRST_LINE_AFTER_S

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def advance(self, stage: str, done: float, total: float) -> None:
        left = self._eta(done, total)
        if time.monotonic() < self._next or left is None:
            return
        self._next = time.monotonic() + LINE_EVERY_S
        self.say(f"{stage}: {done / total:.0%} of the work done, {_remaining(stage, self._eta, left)}")


class ProgressBar:
    """One bar for the whole job, for a person at a terminal; use it as a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[left]}"),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # what is printed meanwhile: where it goes to a file, it stays there
            redirect_stderr=sys.stderr.isatty(),
        )
        self._task = self._progress.add_task("", total=1.0, left="")
        self._eta = Eta()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        console = self._progress.console
        console.print(text, markup=False, highlight=False, soft_wrap=not console.is_jupyter)

    def advance(self, stage: str, done: float, total: float) -> None:
        left = self._eta(done, total)
        self._progress.update(
            self._task,
            description=stage,
            completed=done / total,
            left=_remaining(stage, self._eta, left) if left is not None else "",
        )


_SHOWN: ContextVar[bool] = ContextVar("shown", default=False)


@contextmanager
def shown(quiet: bool = False) -> Iterator[Reporter]:
    """A reporter for a person: a bar on a terminal and in a notebook, plain lines elsewhere, warnings if `quiet`.

    Work inside work that is shown, as of a callback, is quiet.
    """
    if quiet or _SHOWN.get():
        yield WarningsOnly()
        return
    token = _SHOWN.set(True)
    try:
        if sys.stderr.isatty() or _shows_widgets():
            with ProgressBar() as bar:
                yield bar
        else:
            yield ProgressLines()
    finally:
        _SHOWN.reset(token)


def _shows_widgets() -> bool:
    """Whether this is a notebook in which rich can move a bar; in others plain lines are shown."""
    from rich.console import Console

    return Console().is_jupyter and find_spec("ipywidgets") is not None
