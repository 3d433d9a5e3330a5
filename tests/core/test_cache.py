from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from labelprop.core.cache import Cache, default_root
from labelprop.core.errors import StorageError


def test_builds_once_and_keeps_the_file(tmp_path: Path) -> None:
    cache, calls = Cache(tmp_path / "deep" / "cache"), []

    def write(path: Path) -> None:
        calls.append(path)
        path.write_text("content")

    assert cache.build("key", write).read_text() == "content"
    assert cache.build("key", write) == cache.path("key")
    assert len(calls) == 1


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    def fail(path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Cache(tmp_path).build("key", fail)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_storage_error_that_names_file_and_remedy(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(StorageError, match=r"cannot write .*key: No space left.*--cache") as caught:
        Cache(tmp_path).build("key", full)
    assert caught.value.exit_status == 1
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="LABELPROP_CACHE"):
        Cache(tmp_path / "file" / "below").build("key", lambda path: path.write_text(""))


def test_readers_never_see_a_half_written_file(tmp_path: Path) -> None:
    cache, inside, go_on = Cache(tmp_path), threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        path.write_text("half")
        inside.set()
        go_on.wait(5)
        path.write_text("whole")

    thread = threading.Thread(target=cache.build, args=("key", slow))
    thread.start()
    inside.wait(5)
    assert not cache.path("key").exists()
    assert cache.build("key", lambda path: path.write_text("whole")).read_text() == "whole"  # another process
    go_on.set()
    thread.join()
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert cache.path("key").read_text() == "whole"


def test_what_a_killed_process_left_is_removed_later(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".pixels-a.npy.12.abc", tmp_path / ".pixels-b.npy.13.def"
    for path in (old, fresh):
        path.write_text("half")
    os.utime(old, (0, 0))
    Cache(tmp_path).build("key", lambda path: path.write_text(""))
    assert sorted(path.name for path in tmp_path.iterdir()) == [fresh.name, "key"]


def test_the_variable_names_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LABELPROP_CACHE", str(tmp_path))
    assert default_root() == tmp_path
    monkeypatch.delenv("LABELPROP_CACHE")
    assert default_root() == Path.home() / ".cache" / "labelprop"
