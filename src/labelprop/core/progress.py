"""What is said of long work, and how far it is: who hears it, and what is changed on the way."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from labelprop.core.eta import Eta

FORESEEN_AFTER_S = 1.0  # the pace of less says little
COUNTING = "embedding "  # how the name of a stage begins whose units are examples
WARNING = "warning: "  # how a message begins that is a warning


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
