"""How long work will still take: by its forecast at first, then by its pace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

SETTLED_SHARE, SETTLED_S = 0.05, 5.0  # of the work, or seconds of it: before, its pace says little


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
        self.pace: float | None = None  # units a second since the first report

    def __call__(self, done: float, total: float) -> float | None:
        now, work = time.monotonic(), _WORK.get()
        if self._start is None or done < self._last or work is not self._work:  # the next part of the work begins
            self._start, self._work = (now, done), work
        self._last = done
        began, at = self._start
        self.pace = (done - at) / (now - began) if done > at and now > began else None
        if done > at and (done - at >= self._share * total or now - began > self._seconds):
            return (now - began) / (done - at) * (total - done)
        return work.until - now if work is not None and work.until is not None and work.until > now else None
