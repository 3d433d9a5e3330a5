"""What may still be taken, from made-up /proc and /sys trees: the least of machine, control groups and limits."""

from __future__ import annotations

import mmap
import resource
from pathlib import Path

import pytest

from labelprop.core import memory
from labelprop.core.memory import available_bytes, held_bytes

MB = 2**20


def put(root: Path, **files: str) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    files = {"proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    4096 kB\n"}
    return put(tmp_path, **files)


def test_the_machine_says_what_is_available(machine: Path) -> None:
    assert available_bytes(machine) == 4 * MB


def test_a_group_of_version_2_leaves_its_limit_less_what_cannot_be_reclaimed(machine: Path) -> None:
    group = "sys/fs/cgroup/box/job"
    files = {
        "proc/self/cgroup": "0::/box/job\n",
        f"{group}/memory.max": "max\n",
        f"{group}/memory.current": "1\n",
        "sys/fs/cgroup/box/memory.max": f"{3 * MB}\n",
        "sys/fs/cgroup/box/memory.current": f"{2 * MB}\n",
        "sys/fs/cgroup/box/memory.stat": f"anon 5\ninactive_file {MB // 2}\n",
    }
    assert available_bytes(put(machine, **files)) == 1.5 * MB, "the limit of an outer group holds inside"


def test_a_group_of_version_1_counts_too(machine: Path) -> None:
    group = "sys/fs/cgroup/memory/box"
    files = {
        "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/box\n0::/\n",
        f"{group}/memory.limit_in_bytes": f"{5 * MB}",
        f"{group}/memory.usage_in_bytes": f"{6 * MB}",
        f"{group}/memory.stat": f"total_inactive_file {2 * MB}\n",
    }
    assert available_bytes(put(machine, **files)) == MB


def test_nothing_left_is_not_less_than_nothing(machine: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": "10\n",
        "sys/fs/cgroup/memory.current": "20\n",
    }
    assert available_bytes(put(machine, **files)) == 0


def test_limits_of_the_shell_count(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(machine, **{"proc/self/status": "VmSize:\t1024 kB\nVmData:\t512 kB\n"})
    limits = {resource.RLIMIT_AS: (3 * MB, -1), resource.RLIMIT_DATA: (-1, -1)}
    monkeypatch.setattr(memory.resource, "getrlimit", limits.__getitem__)
    monkeypatch.setattr(memory.sys, "platform", "linux")
    assert available_bytes(machine) == 2 * MB


def test_a_system_without_proc_is_asked_for_all_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory.os, "sysconf", {"SC_PHYS_PAGES": 4096, "SC_PAGE_SIZE": MB}.__getitem__)
    monkeypatch.setattr(memory, "peak_memory_bytes", lambda: 100 * MB)
    assert available_bytes(tmp_path) == 3996 * MB


def test_memory_that_is_filled_is_held() -> None:
    before = held_bytes()
    with mmap.mmap(-1, 40 * MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as filled:  # never taken from a heap
        filled.write(b"1" * (40 * MB))
        assert held_bytes() - before > 35 * MB
