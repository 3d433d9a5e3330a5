"""Threads of arithmetic on shared cores: how many, and how long they wait for each other.

Threads that share a product wait for the slowest of them, and spin meanwhile. Where another program has taken the
core of one, the others burn theirs: beside two busy programs on two cores a training step took thirty times as long.
So `bound_spin` lets them give up the core soon, and `fitting_threads` leaves out the cores that others keep busy.
`benchmarks/busy_neighbors.py` measures both.

Results depend on the number of threads in their last digits: it is chosen once, before the work, and a run keeps it.
torch is not imported before it is needed: it reads the environment when it is loaded.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from labelprop.core.progress import Reporter
from labelprop.core.text import counted

Item = TypeVar("Item")
Found = TypeVar("Found")

ROOT = Path("/")
COUNT, COUNTS = "OMP_NUM_THREADS", ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
SPINS = "GOMP_SPINCOUNT", "10000"  # of GNU's OpenMP (torch for Linux): 0.2 to 0.6 ms; its own is 30 times as much
BLOCK_MS = "KMP_BLOCKTIME", "1"  # of LLVM's and Intel's (torch for macOS and from conda); their own is 200
WAITS = ("OMP_WAIT_POLICY", SPINS[0], BLOCK_MS[0])
LOOKS, BETWEEN_S = 20, 0.0025  # at what else runs


def bound_spin(environ: MutableMapping[str, str] = os.environ, root: Path = ROOT) -> None:
    """Threads that wait give up their core after a fraction of a millisecond, unless the user says how they wait.

    Nor are there more of them than cores that a control group grants. Without effect where torch is loaded already.
    """
    if not any(name in environ for name in WAITS):
        environ.update([SPINS, BLOCK_MS])
    quota = _quota(root)
    if quota is not None and quota < _cores() and not any(name in environ for name in COUNTS):
        environ[COUNT] = _set_here[COUNT] = str(quota)


_set_here: dict[str, str] = {}  # counts that were not the user's


def usable_cores(root: Path = ROOT) -> int:
    """Cores that this process may use: those it is bound to, as many as its control groups grant."""
    quota = _quota(root)
    return _cores() if quota is None else min(_cores(), quota)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _quota(root: Path) -> int | None:
    """Whole cores of the tightest limit of this process's control groups, of both versions; None without one."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, place = [*line.split(":", 2), "", ""][:3]
        unified = number == "0"
        if not unified and "cpu" not in controllers.split(","):
            continue
        base = root / ("sys/fs/cgroup" if unified else "sys/fs/cgroup/cpu")
        group = base / place.lstrip("/")
        for folder in (group, *group.parents):
            found.append(_granted(folder, unified))
            if folder == base:
                break
    granted = [cores for cores in found if cores is not None]
    return max(1, math.ceil(min(granted))) if granted else None


def _granted(folder: Path, unified: bool) -> float | None:
    names = ("cpu.max",) if unified else ("cpu.cfs_quota_us", "cpu.cfs_period_us")
    words = " ".join(_text(folder / name) for name in names).split()
    if len(words) != 2 or not all(word.isdigit() for word in words):  # "max" or -1: no limit
        return None
    return int(words[0]) / int(words[1])


def busy_others(look: Callable[[], int | None] | None = None, pause: Callable[[float], None] = time.sleep) -> float:
    """How many threads of other programs want a core, on average over a twentieth of a second; 0 where unknown."""
    look = look or _running
    seen = []
    for _ in range(LOOKS):
        running = look()
        if running is None:
            return 0.0
        seen.append(max(0, running - 1))  # the one that looks
        pause(BETWEEN_S)
    return sum(seen) / len(seen)


def _running(root: Path = ROOT) -> int | None:
    """Threads that run or wait for a core, on the whole machine."""
    words = _text(root / "proc/loadavg").split()  # 0.52 0.58 0.59 3/121 17726
    return int(words[3].partition("/")[0]) if len(words) == 5 else None


def fitting(threads: int, others: float, cores: int) -> int:
    """Of so many threads those that find a core of their own beside `others` on the machine's `cores`; at least 1."""
    return max(1, min(threads, math.floor(cores - others + 0.5)))


@contextmanager
def fitting_threads(reporter: Reporter, kept: int | None = None) -> Iterator[None]:
    """Inside, torch has as many threads as find a core, or `kept`; as it was where the user has chosen."""
    chosen = any(os.environ.get(name) != _set_here.get(name) for name in COUNTS)
    others = 0.0 if chosen or kept is not None else busy_others()  # before torch is loaded, which is work itself
    import torch

    before = torch.get_num_threads()
    if chosen or before < usable_cores():  # the user of a process may have chosen as well
        yield
        return
    number = fitting(usable_cores(), others, os.cpu_count() or 1) if kept is None else min(kept, usable_cores())
    if number < before and kept is None and others > 0:
        reporter.say(
            f"threads: {number} of {before}, since about {counted(round(others), 'other thread')} here "
            f"{'wants' if round(others) == 1 else 'want'} a core "
            f"({COUNT}={before} in the environment takes all)"
        )
    with threads(number):
        yield


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Inside, torch has so many threads; None leaves them as they are."""
    if number is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def in_threads(work: Callable[[Item], Found], items: Iterable[Item], number: int) -> Iterator[Found]:
    """What the work finds on each of the items, in their order, so many at a time; they share torch's threads."""
    import torch

    if number <= 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(number)
    with threads(max(1, torch.get_num_threads() // number)):  # threads that start inside have no more
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""
