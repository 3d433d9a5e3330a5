from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.data.source import Columns
from labelprop.data.sources.arrays import ArraySource, load_arrays

SOURCE = ArraySource()


def test_claims_array_files_and_arrays() -> None:
    assert all(SOURCE.claims(data) for data in ("x.npy", Path("x.NPZ"), np.zeros(3), torch.zeros(3)))
    assert not any(SOURCE.claims(data) for data in ("x.csv", [1, 2], torch.nn.Linear(1, 1)))


@pytest.mark.parametrize("order", ["C", "F"])
def test_stored_archives_are_mapped_and_compressed_ones_read(tmp_path: Path, order: str) -> None:
    X, ids = np.asarray(np.random.default_rng(0).random((50, 7)), order=order), np.array(["ä", "b"] * 25)  # type: ignore[call-overload]
    np.savez(tmp_path / "s.npz", ids=ids, X=X)
    np.savez_compressed(tmp_path / "c.npz", ids=ids, X=X)
    stored, compressed = load_arrays(tmp_path / "s.npz"), load_arrays(tmp_path / "c.npz")
    assert isinstance(stored["X"], np.memmap)
    assert not isinstance(compressed["X"], np.memmap)
    for arrays in (stored, compressed):
        np.testing.assert_array_equal(arrays["X"], X)
        np.testing.assert_array_equal(arrays["ids"], ids)


def test_npy_files_are_mapped(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    assert isinstance(SOURCE.read(tmp_path / "x.npy", Columns()).vectors, np.memmap)


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"Y": np.ones(3)}, "has no array 'X'; it holds Y"),
        ({"X": np.ones((3, 2)), "y": np.ones(2)}, r"'y' has shape \(2,\) where X has 3 rows"),
        ({"X": np.ones((3, 2)), "ids": np.array(["a", "", "c"])}, "'ids' has no value for row 1"),
        ({"X": np.ones((3, 2, 2))}, r"holds float64 of shape \(3, 2, 2\); images must be uint8"),
        ({"X": np.ones((3, 3, 8, 8), np.uint8)}, r"channels first: move them last with X\.transpose\(0, 2, 3, 1\)"),
        ({"X": np.ones((64, 48, 3), np.uint8)}, r"that of one color image; give an array of images, X\[None\]"),
        ({"X": np.ones((3, 8, 8, 2), np.uint8)}, r"images must be \(n, h, w\) or \(n, h, w, 1\|3\|4\)\.$"),
        (
            {"X": np.ones((3, 2)), "y": np.array([None, 1, 2])},
            "it is damaged or holds Python objects. Save arrays of numbers",
        ),
    ],
)
def test_archives_that_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], text: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError, match=text) as caught:
        SOURCE.read(tmp_path / "x.npz", Columns())
    assert "x.npz" in str(caught.value)


def test_labels_of_every_kind(tmp_path: Path) -> None:
    for y, expected in (
        (np.array([3, -1, 10]), ["3", None, "10"]),
        (np.array([3.0, np.nan, -1]), ["3", None, None]),
        (np.array([[1], [0], [-1]]), ["1", "0", None]),
    ):
        np.savez(tmp_path / "x.npz", X=np.ones((3, 2)), y=y)
        assert SOURCE.read(tmp_path / "x.npz", Columns()).given == expected


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    for name in ("x.npy", "x.npz"):
        (tmp_path / name).write_bytes(b"damaged")
        with pytest.raises(DataError, match=rf"cannot read '.*{name}': .*Save arrays of numbers"):
            load_arrays(tmp_path / name)
    with pytest.raises(RequestError, match=r"no file '.*none\.npy'"):
        load_arrays(tmp_path / "none.npy")
    with pytest.raises(RequestError, match="arrays have no columns"):
        SOURCE.read(np.ones((2, 2)), Columns(label="y"))
