"""Progress of long work: a bar on a terminal, plain lines elsewhere, or warnings alone.

All of it goes to stderr, so that stdout carries results only.
"""

from __future__ import annotations

import inspect
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from labelprop.core.text import duration

FIRST_LINE_AFTER_S = 3.0  # work that ends sooner needs no line
FORESEEN_AFTER_S = 1.0  # the pace of less says little
SETTLED_SHARE, SETTLED_S = 0.05, 5.0  # of the work, or seconds of it: before, its pace says little
WARNING = "warning: "  # how a message begins that is a warning
LINE_EVERY_S = 15.0  # often enough to see it live, seldom enough for a log


class Reporter(Protocol):
    """Receives the messages and the progress of long work."""

    def say(self, text: str) -> None:
        """One sentence the user should see."""

    def advance(self, stage: str, done: float, total: float) -> None:
        """`done` of `total` units of the whole job are finished; `stage` names what runs now."""


class RunWarning(UserWarning):
    """What is doubtful about a run, where its messages are not shown."""


class Silent:
    """Drops all messages and progress."""

    def say(self, text: str) -> None:
        """Nothing."""

    def advance(self, stage: str, done: float, total: float) -> None:
        """Nothing."""


class WarningsOnly(Silent):
    """Drops all but warnings, which become Python's, of the line that called this package."""

    def say(self, text: str) -> None:
        """Warns, where the text is a warning."""
        if text.startswith(WARNING):
            warnings.warn(text.removeprefix(WARNING), RunWarning, stacklevel=_first_outside())


def _first_outside() -> int:
    """The `stacklevel`, in the function that calls this, of the first call that is not from inside this package."""
    package = f"{Path(__file__).parents[1]}{os.sep}"
    frame, level = inspect.currentframe(), 0
    while frame is not None and frame.f_code.co_filename.startswith(package):
        frame, level = frame.f_back, level + 1
    return level if frame is not None else 1


_REPORTER: ContextVar[Reporter | None] = ContextVar("reporter", default=None)


@contextmanager
def reporting_to(reporter: Reporter) -> Iterator[None]:
    """Inside, `say` and `advance` below reach this reporter: searches and solvers are handed none."""
    token = _REPORTER.set(reporter)
    try:
        yield
    finally:
        _REPORTER.reset(token)


def say(text: str) -> None:
    """Passes a message to the reporter of `reporting_to`; without one it is dropped."""
    reporter = _REPORTER.get()
    if reporter is not None:
        reporter.say(text)


def advance(stage: str, done: float, total: float) -> None:
    """`done` of `total` units of this stage are finished; passed to the reporter of `reporting_to`, if any."""
    reporter = _REPORTER.get()
    if reporter is not None:
        reporter.advance(stage, done, total)


@contextmanager
def only(stage: str) -> Iterator[None]:
    """Inside, nothing but this stage is reported: its progress, and messages that begin with its name."""
    reporter = _REPORTER.get()
    with reporting_to(Silent() if reporter is None else _Only(reporter, stage)):
        yield


class Passing:
    """Passes everything on to another reporter: the base of those that change some of it."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def say(self, text: str) -> None:
        """Passed on."""
        self._reporter.say(text)

    def advance(self, stage: str, done: float, total: float) -> None:
        """Passed on."""
        self._reporter.advance(stage, done, total)


class Noting(Passing):
    """Passes everything on, and keeps the warnings, each once."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__(reporter)
        self.warnings: list[str] = []

    def say(self, text: str) -> None:
        if text.startswith(WARNING):
            self.note(text.removeprefix(WARNING))
        super().say(text)

    def note(self, text: str) -> None:
        if text not in self.warnings:
            self.warnings.append(text)


@contextmanager
def noting(reporter: Reporter) -> Iterator[Noting]:
    """A reporter that keeps what it is warned of; inside, what Python warns of, too."""
    noted = Noting(reporter)
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note_and_show(message: Warning | str, *place: Any, **more: Any) -> None:
            if not isinstance(message, RunWarning):  # that was said
                noted.note(str(message))
            show(message, *place, **more)

        warnings.showwarning = note_and_show
        yield noted


def warnings_of(reporter: Reporter) -> list[str]:
    """What a reporter of `noting` has kept; nothing of another."""
    return list(reporter.warnings) if isinstance(reporter, Noting) else []


class _Only(Passing):
    """Passes on what belongs to one stage."""

    def __init__(self, reporter: Reporter, stage: str) -> None:
        super().__init__(reporter)
        self._stage = stage

    def say(self, text: str) -> None:
        if text.startswith(self._stage):
            super().say(text)

    def advance(self, stage: str, done: float, total: float) -> None:
        if stage == self._stage:
            super().advance(stage, done, total)


class Staged(Passing):
    """Turns the progress of one stage into that of the whole job, by the seconds each stage is expected to take."""

    def __init__(self, reporter: Reporter, seconds: Mapping[str, float]) -> None:
        super().__init__(reporter)
        self._seconds = seconds

    def advance(self, stage: str, done: float, total: float) -> None:
        """Passed on as seconds of all stages; a stage that was not expected is left out."""
        if stage not in self._seconds or not total:
            return
        names = list(self._seconds)
        before = sum(self._seconds[name] for name in names[: names.index(stage)])
        here = self._seconds[stage] * min(1.0, done / total)
        super().advance(stage, before + here, sum(self._seconds.values()))


class Bounded(Passing):
    """Passes everything on, and calls `foresee` with the seconds that a stage will still take, from its pace."""

    def __init__(self, reporter: Reporter, foresee: Callable[[float], None]) -> None:
        super().__init__(reporter)
        self._foresee, self._stage, self._eta = foresee, "", Eta()

    def advance(self, stage: str, done: float, total: float) -> None:
        """Passed on; what `foresee` raises ends the stage."""
        if stage != self._stage:
            self._stage, self._eta = stage, Eta(1.0, FORESEEN_AFTER_S)
        left = self._eta(done, total)
        if left is not None:
            self._foresee(left)
        super().advance(stage, done, total)


class _Work:
    """Work with a pace of its own; `until` is when it ends by its forecast, where there is one."""

    def __init__(self, seconds: float | None) -> None:
        self.until = None if seconds is None else time.monotonic() + seconds


_WORK: ContextVar[_Work | None] = ContextVar("work", default=None)


@contextmanager
def expecting(seconds: float | None) -> Iterator[None]:
    """Inside, time left is counted anew: from this forecast, if there is one, until a pace tells more."""
    token = _WORK.set(_Work(seconds))
    try:
        yield
    finally:
        _WORK.reset(token)


class Eta:
    """Seconds left, from the pace since the first report (a resumed job starts in the middle).

    Until a share of the work or some seconds of it are done they are those of `expecting`, if any, else None: first
    steps tell little of the others.
    """

    def __init__(self, share: float = SETTLED_SHARE, seconds: float = SETTLED_S) -> None:
        self._share, self._seconds = share, seconds
        self._start: tuple[float, float] | None = None
        self._last = 0.0
        self._work: _Work | None = None

    def __call__(self, done: float, total: float) -> float | None:
        now, work = time.monotonic(), _WORK.get()
        if self._start is None or done < self._last or work is not self._work:  # the next part of the work begins
            self._start, self._work = (now, done), work
        self._last = done
        began, at = self._start
        if done > at and (done - at >= self._share * total or now - began > self._seconds):
            return (now - began) / (done - at) * (total - done)
        return work.until - now if work is not None and work.until is not None and work.until > now else None


def _remaining(seconds: float) -> str:
    return f"{'about ' if seconds >= 1 else ''}{duration(seconds)} left"


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
        self.say(f"{stage}: {done / total:.0%} of the work done, {_remaining(left)}")


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
            self._task, description=stage, completed=done / total, left=_remaining(left) if left is not None else ""
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
