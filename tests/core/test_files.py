from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from labelprop.core import files
from labelprop.core.errors import StorageError
from labelprop.core.files import (
    Digest,
    content_key,
    json_line,
    json_setting,
    python_setting,
    write_array,
    write_atomically,
    write_csv,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path) -> None:
    path = tmp_path / "labels.parquet"
    path.write_bytes(b"old")

    def fails(partial) -> None:
        partial.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"cannot write .*labels.parquet: No space left .*; free some space"):
        write_atomically(path, fails)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["labels.parquet"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(errno.EACCES, "make the folder writable"), (errno.EFBIG, "raise the limit"), (None, "another --out")],
)
def test_each_refusal_has_its_remedy(tmp_path, code, remedy: str) -> None:
    def fails(partial) -> None:
        raise OSError(code, "refused")

    with pytest.raises(StorageError, match=remedy):
        write_atomically(tmp_path / "x", fails)


def test_files_can_be_read_by_others(tmp_path) -> None:
    write_json(tmp_path / "x.json", {"a": 1})
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o666 & ~files._umask()


def test_tables_and_arrays_have_just_the_name_they_are_given(tmp_path: Path) -> None:
    write_csv(tmp_path / "a", ["id", "label"], [["x,y", 1]])
    write_array(tmp_path / "b", np.arange(3))
    assert (tmp_path / "a").read_text(encoding="utf-8").splitlines() == ["id,label", '"x,y",1']
    assert np.load(tmp_path / "b").tolist() == [0, 1, 2]


def test_the_key_depends_on_every_part_and_on_where_it_ends() -> None:
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key("a", 1) != content_key("a", 2)
    assert content_key(b"a", 1) == content_key("a", "1")


def test_hashes_that_stand_in_older_runs_keep_their_values() -> None:
    assert content_key("images", 1) == "465c3b3501e794e72cc05dc32ad4b0ef932addab"
    assert Digest("a\0b", b"\x01", size=16).hex() == "64c8762c9e8efe47a5d4d43d30c76c44"
    sized = Digest()
    sized.add_sized("\ud800")
    assert sized.hex() == "cb58fa88bbe119e31a96284ee468d215187c441c"


def test_numbers_of_numpy_are_written_as_pythons(tmp_path) -> None:
    given = {"a": np.float32(0.5), "b": np.int64(3), "c": [np.bool_(True), np.float64(0.1)], "d": np.arange(2)}
    write_json(tmp_path / "x.json", given)
    wanted = {"a": 0.5, "b": 3, "c": [True, 0.1], "d": [0, 1]}
    assert json.loads((tmp_path / "x.json").read_text()) == json.loads(json_line(given)) == wanted
    with pytest.raises(ValueError, match="not JSON compliant"):  # a result that is not finite is a fault
        write_json(tmp_path / "x.json", {"loss": float("nan")})


def test_settings_that_json_has_no_word_for_come_back(tmp_path) -> None:
    given = {"tol": float("inf"), "low": [-np.float32(np.inf), 1], "n": np.int64(3), "name": "inf.csv", "none": None}
    write_json(tmp_path / "x.json", json_setting(given))
    kept = json.loads((tmp_path / "x.json").read_text())
    assert python_setting(kept) == {"tol": np.inf, "low": [-np.inf, 1], "n": 3, "name": "inf.csv", "none": None}
    assert np.isnan(python_setting(json_setting(np.float32("nan"))))
    assert json_setting({"kernel": max, 3: np.ones(2)}) == {
        "kernel": {"python_object": "builtins.builtin_function_or_method"},
        "3": [1.0, 1.0],
    }
