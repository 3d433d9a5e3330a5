from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from labelprop.core import row_cache
from labelprop.core.cache import Cache
from labelprop.core.row_cache import RowCache, key_of


def keys(*names: object) -> list[bytes]:
    return [key_of(str(name)) for name in names]


def rows(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)


def test_rows_come_back_bit_for_bit_under_their_keys(tmp_path: Path) -> None:
    first, second = rows(3), rows(2, 1)
    made = RowCache(Cache(tmp_path), "v")
    made.add(keys("a", "b", "c"), first)
    made.add(keys("d", "e"), second)
    for opened in (made, RowCache(Cache(tmp_path), "v")):
        places, found = opened.find([*keys("e"), None, *keys("x", "a", "c")])
        order = np.argsort(places)
        assert places[order].tolist() == [0, 3, 4]
        np.testing.assert_array_equal(found[order], [second[1], first[0], first[2]])
        assert keys("b")[0] in opened
        assert keys("x")[0] not in opened
    assert RowCache(Cache(tmp_path), "other").find(keys("a"))[0].size == 0


def test_other_types_of_numbers(tmp_path: Path) -> None:
    RowCache(Cache(tmp_path), "i", np.int32).add(keys("a"), np.array([[-7, 2**31 - 1]], np.int32))
    assert RowCache(Cache(tmp_path), "i", np.int32).find(keys("a"))[1].tolist() == [[-7, 2**31 - 1]]


def test_damaged_and_deleted_files_are_as_if_they_were_not(tmp_path: Path) -> None:
    made = RowCache(Cache(tmp_path), "v")
    made.add(keys("a"), rows(1))
    made.add(keys("b"), rows(1))
    first, second = sorted((tmp_path / "rows" / "v").glob("*.npy"))
    first.write_bytes(b"no array")
    second.write_bytes(second.read_bytes()[:-3])
    assert RowCache(Cache(tmp_path), "v").find(keys("a", "b"))[0].size == 0
    made.add(keys("a"), rows(1))
    assert RowCache(Cache(tmp_path), "v").find(keys("a"))[0].tolist() == [0]


def test_many_small_files_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_cache, "MOST_SMALL", 5)
    monkeypatch.setattr(row_cache, "SMALL", 3)
    wanted = rows(12)
    made = RowCache(Cache(tmp_path), "v")
    made.add(keys("x", "y", "z"), rows(3, 1))  # not small
    for number in range(12):
        made.add(keys(number), wanted[number : number + 1])
        assert len([*(tmp_path / "rows" / "v").iterdir()]) <= 7
    for opened in (made, RowCache(Cache(tmp_path), "v")):
        places, found = opened.find([*keys(*range(12)), *keys("y")])
        np.testing.assert_array_equal(found[np.argsort(places)], [*wanted, rows(3, 1)[1]])


def test_above_the_limit_what_was_used_longest_ago_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        RowCache(Cache(tmp_path), f"of {name}").add(keys(name), rows(1))
    sizes = {}
    for age, name in enumerate("cba"):  # a was written first and used last
        (path,) = (tmp_path / "rows" / f"of {name}").glob("*.npy")
        os.utime(path, (age + 1, age + 1))
        sizes[name] = path.stat().st_size
    monkeypatch.setattr(row_cache, "LIMIT_BYTES", 3 * sizes["a"])
    RowCache(Cache(tmp_path), "of b").find(keys("b"))  # a use
    RowCache(Cache(tmp_path), "of d").add(keys("d"), rows(1))
    left = {path.parent.name[-1] for path in (tmp_path / "rows").glob("*/*.npy")}
    assert left == {"a", "b", "d"}
