from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError
from labelprop.data.tables import vectors
from labelprop.data.tables.vectors import describe_bad_row, float_blocks, scan, vector_content


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", ">f4", "int8", "uint8", "uint16", "int64", "uint64", "bool"]
)
def test_every_kind_of_number_is_read_as_float32(dtype: str) -> None:
    array = np.arange(12).reshape(4, 3).astype(dtype)
    content = vector_content(array, "x")
    out = content.read(np.array([3, 1]))
    assert (out.dtype, content.dtype, content.shape, len(content)) == (torch.float32, torch.float32, (3,), 4)
    np.testing.assert_array_equal(out.numpy(), array[[3, 1]].astype(np.float32))


def test_torch_and_reversed_and_read_only_arrays() -> None:
    half = torch.arange(6).reshape(2, 3).to(torch.bfloat16).requires_grad_()
    assert vector_content(half, "x").read(np.array([1])).tolist() == [[3.0, 4.0, 5.0]]
    assert vector_content(np.arange(6.0).reshape(2, 3)[::-1], "x").read(np.array([0])).tolist() == [[3, 4, 5]]
    frozen = np.ones((2, 2))
    frozen.flags.writeable = False
    read = vector_content(frozen, "x").read(np.array([0]))
    read += 1  # a copy: the original stays
    assert (frozen == 1).all()


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros((2, 2), complex), "holds complex128; vectors must be real"),
        (np.array([["a", "b"]]), "holds <U1; vectors must be real"),
        (np.zeros(3), r"has shape \(3,\); vectors must have shape \(n, dimensions\)"),
        (np.zeros((3, 0)), r"has shape \(3, 0\)"),
    ],
)
def test_what_is_no_vector_is_refused(array: np.ndarray, text: str) -> None:
    with pytest.raises(DataError, match=text):
        vector_content(array, "x")


def test_the_scan_finds_rows_in_every_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "_BLOCK_BYTES", 4 * 2 * 3)  # three rows a block
    array = np.arange(1.0, 21.0).reshape(10, 2)
    content = vector_content(array, "x")
    assert [start for start, _ in float_blocks(content)] == [0, 3, 6, 9]
    digest = scan(content).digest
    array[4, 1], array[9, 0], array[7, 1], array[2] = np.nan, -np.inf, 1e300, 0
    result = scan(content)
    assert result.bad_rows.tolist() == [4, 7, 9]
    assert result.zero_rows.tolist() == [2]
    assert (result.smallest.tolist(), result.largest.tolist()) == ([0, 0], [17, 18])
    assert result.digest != digest
    assert describe_bad_row(content, 4) == "NaN in dimension 1"
    assert describe_bad_row(content, 7) == "an infinite or too large number in dimension 1"


def test_the_digest_depends_on_order_not_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(20.0).reshape(10, 2)
    digest = scan(vector_content(array, "x")).digest
    assert scan(vector_content(array[::-1], "x")).digest != digest
    assert scan(vector_content(array.reshape(5, 4), "x")).digest != digest
    monkeypatch.setattr(vectors, "_BLOCK_BYTES", 8)
    assert scan(vector_content(array, "x")).digest == digest
