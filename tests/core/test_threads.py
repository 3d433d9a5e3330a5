"""How many threads, and how long they wait: decided from made-up machines, loads and environments."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from labelprop.core import threads
from labelprop.core.progress import Silent
from labelprop.core.threads import bound_spin, busy_others, fitting, fitting_threads, usable_cores


class Heard(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


UNIFIED = {"proc/self/cgroup": "0::/a/b\n"}
FIRST = {"proc/self/cgroup": "5:cpu,cpuacct:/docker\n4:memory:/docker\n"}
FIRST_PLACE = "sys/fs/cgroup/cpu/docker"


@pytest.mark.parametrize(
    ("files", "granted"),
    [
        ({}, None),
        (UNIFIED | {"sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        (UNIFIED | {"sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}, 2),
        (UNIFIED | {"sys/fs/cgroup/a/b/cpu.max": "max 100000", "sys/fs/cgroup/a/cpu.max": "150000 100000"}, 2),
        (UNIFIED | {"sys/fs/cgroup/a/b/cpu.max": "20000 100000\n"}, 1),
        (FIRST | {f"{FIRST_PLACE}/cpu.cfs_quota_us": "300000", f"{FIRST_PLACE}/cpu.cfs_period_us": "100000"}, 3),
        (FIRST | {f"{FIRST_PLACE}/cpu.cfs_quota_us": "-1", f"{FIRST_PLACE}/cpu.cfs_period_us": "100000"}, None),
    ],
)
def test_cores_that_control_groups_grant(tmp_path, monkeypatch, files: dict[str, str], granted: int | None) -> None:
    monkeypatch.setattr(threads, "_cores", lambda: 64)
    monkeypatch.setattr(threads, "_set_here", {})
    root, environ = machine(tmp_path, files), {"PATH": "/bin"}
    assert usable_cores(root) == (granted or 64)
    bound_spin(environ, root)
    assert environ.get("OMP_NUM_THREADS") == (None if granted is None else str(granted))
    assert int(environ["GOMP_SPINCOUNT"]) < 300_000
    assert environ["KMP_BLOCKTIME"] == "1"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_how_the_user_lets_threads_wait_stays(tmp_path, name: str) -> None:
    environ = {name: "x"}
    bound_spin(environ, tmp_path)
    assert environ == {name: "x"}


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_the_number_that_the_user_chose_stays(tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.setattr(threads, "_cores", lambda: 64)
    root, environ = machine(tmp_path, UNIFIED | {"sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}), {name: "7"}
    bound_spin(environ, root)
    assert [environ.get(one) for one in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if one in environ] == ["7"]


def test_the_mean_of_what_else_runs() -> None:
    looks: Iterator[int] = iter([1, 3] * 10)
    paused: list[float] = []
    assert busy_others(lambda: next(looks), paused.append) == 1.0
    assert sum(paused) < 0.1
    assert busy_others(lambda: None, paused.append) == 0.0


def test_what_runs_is_read_from_the_system(tmp_path) -> None:
    assert threads._running(machine(tmp_path, {"proc/loadavg": "0.52 0.58 0.59 3/121 17726\n"})) == 3
    assert threads._running(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("usable", "others", "cores", "found"),
    [
        *((2, 0.0, 2, 2), (2, 0.4, 2, 2), (2, 0.6, 2, 1), (2, 2.0, 2, 1), (2, 9.0, 2, 1)),
        *((8, 1.0, 8, 7), (64, 0.2, 64, 64), (2, 30.0, 64, 2), (2, 63.0, 64, 1), (1, 0.0, 1, 1)),
    ],
)
def test_threads_that_find_a_core(usable: int, others: float, cores: int, found: int) -> None:
    assert fitting(usable, others, cores) == found


@pytest.fixture
def two_cores(monkeypatch) -> Iterator[None]:
    """A machine of two cores with two busy programs, where the user has said nothing."""
    for name in threads.COUNTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(threads, "busy_others", lambda: 2.0)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def test_one_thread_beside_busy_programs_and_all_again_afterwards(two_cores) -> None:
    heard = Heard()
    with fitting_threads(heard):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    assert len(heard.said) == 1


def test_a_continued_run_keeps_its_threads(two_cores) -> None:
    with fitting_threads(Heard(), kept=2):
        assert torch.get_num_threads() == 2
    with fitting_threads(Heard(), kept=64):
        assert torch.get_num_threads() == 2


def test_all_cores_on_a_quiet_machine(two_cores, monkeypatch) -> None:
    monkeypatch.setattr(threads, "busy_others", lambda: 0.0)
    heard = Heard()
    with fitting_threads(heard):
        assert torch.get_num_threads() == 2
    assert not heard.said


@pytest.mark.parametrize("name", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_a_choice_in_the_environment_stays(two_cores, monkeypatch, name: str) -> None:
    monkeypatch.setenv(name, "2")
    with fitting_threads(Heard()):
        assert torch.get_num_threads() == 2


def test_a_choice_in_the_process_stays(two_cores, monkeypatch) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    with fitting_threads(Heard()):
        assert torch.get_num_threads() == 2


def test_work_side_by_side_comes_in_order_and_shares_the_threads() -> None:
    torch.set_num_threads(4)
    try:
        found = list(threads.in_threads(lambda item: (item, torch.get_num_threads()), range(9), 2))
        assert found == [(item, 2) for item in range(9)]
        assert torch.get_num_threads() == 4
        with pytest.raises(ZeroDivisionError):
            list(threads.in_threads(lambda item: 1 // item, [1, 0, 2], 2))
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(1)
