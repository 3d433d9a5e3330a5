"""How much memory this process holds, has held at most and may still take, without a dependency."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")


def available_bytes(root: Path = ROOT) -> int | None:
    """Bytes this process may still take: the least of what the machine, its control groups and its limits leave.

    Memory that the system can reclaim (file caches) counts as available. Where the system does not say what is free
    (macOS), all of the machine's memory less what this process holds; None where not even that is known. `root` is
    the root of the file system.
    """
    found = [_of_machine(root), *_of_groups(root), *_of_limits(root)]
    known = [size for size in found if size is not None]
    return max(0, min(known)) if known else None


def held_bytes(root: Path = ROOT) -> int:
    """Bytes of its own that this process holds now; pages of mapped files, which can be dropped, do not count."""
    status = _fields(root / "proc/self/status")
    return status["RssAnon"] + status.get("RssShmem", 0) if "RssAnon" in status else peak_memory_bytes()


def peak_memory_bytes() -> int:
    """The most memory this process has held so far, or since the last reset; a GPU's is counted apart."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return _fields(ROOT / "proc/self/status").get("VmHWM", peak)  # the former is bytes on macOS, else kilobytes


def give_back() -> None:
    """Gives freed memory back to the system: glibc keeps what the threads of a search had, hundreds of MB."""
    with suppress(OSError, AttributeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)


def reset_peak_memory() -> None:
    """Restarts the peak at what is held now (Linux); elsewhere the peak stays that of the whole process."""
    with suppress(OSError):
        (ROOT / "proc/self/clear_refs").write_text("5")


def _of_machine(root: Path) -> int | None:
    available = _fields(root / "proc/meminfo").get("MemAvailable")
    if available is not None:
        return available
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") - peak_memory_bytes()
    except (ValueError, OSError):  # a name this system does not know
        return None


def _of_groups(root: Path) -> list[int | None]:
    """Bytes left in the control groups of this process, up to the outermost; both versions of cgroup."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, controllers, place = [*line.split(":", 2), "", ""][:3]
        if number == "0":
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        group = base / place.lstrip("/")
        for folder in (group, *group.parents):
            found.append(_left_in(folder, *names))
            if folder == base:
                break
    return found


def _left_in(folder: Path, limit: str, usage: str, reclaimable: str) -> int | None:
    most, used = _text(folder / limit).strip(), _text(folder / usage).strip()
    if not most.isdigit() or not used.isdigit():  # "max": no limit; or no such group here
        return None
    return int(most) - int(used) + _fields(folder / "memory.stat").get(reclaimable, 0)


def _of_limits(root: Path) -> list[int | None]:
    """Bytes that `ulimit -v` and `ulimit -d` leave."""
    status = _fields(root / "proc/self/status")
    found: list[int | None] = []
    for kind, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY and sys.platform != "darwin":
            found.append(most - status.get(used, 0))
    return found


def _fields(path: Path) -> dict[str, int]:
    """Numbers by name of a file with a name and a number a line; kB become bytes."""
    found = {}
    for line in _text(path).splitlines():
        words = line.replace(":", " ").split()
        if len(words) >= 2 and words[1].isdigit():
            found[words[0]] = int(words[1]) * (1024 if words[2:3] == ["kB"] else 1)
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
