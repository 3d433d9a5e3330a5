"""Vectors: checked, described and hashed in one pass of blocks, never copied whole."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.errors import DataError
from labelprop.core.files import Digest
from labelprop.data.contents import TensorContent, shared_tensor

_BLOCK_BYTES = 64 * 2**20  # read and checked at once: large enough for a disk, small beside memory
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)  # which torch can index


@dataclass(frozen=True, slots=True, eq=False)
class VectorScan:
    """What one pass over (N, D) vectors, taken as float32, shows."""

    digest: str
    bad_rows: np.ndarray  # rows with NaN, an infinity, or a number too large for float32
    zero_rows: np.ndarray  # rows of zeros: they have no direction
    smallest: np.ndarray  # (D,) over finite entries
    largest: np.ndarray  # (D,)


def vector_content(array: Any, name: str) -> TensorContent:
    """(N, D) numbers of any kind, NumPy (also memory-mapped) or torch, read as float32.

    Raises DataError where `array` is not two-dimensional or does not hold real numbers.
    """
    source = None if isinstance(array, torch.Tensor) else _indexable(np.asanyarray(array), name)
    tensor = array.detach().cpu() if source is None else shared_tensor(source)
    if tensor.dtype not in _FLOATS + _INTEGERS:
        raise DataError(f"{name} holds {tensor.dtype}; vectors must be real numbers, for instance float32.")
    if tensor.ndim != 2 or tensor.shape[1] == 0:
        raise DataError(f"{name} has shape {tuple(tensor.shape)}; vectors must have shape (n, dimensions).")
    return TensorContent(tensor, torch.float32, source)


def _indexable(array: np.ndarray, name: str) -> np.ndarray:
    """The array itself, or a copy where torch could not index it."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype}; vectors must be real numbers, for instance float32.")
    if not array.dtype.isnative or array.dtype in (np.uint16, np.uint32, np.uint64, np.longdouble):
        array = array.astype(np.float32)  # torch cannot index these
    if any(stride < 0 for stride in array.strides):
        array = np.ascontiguousarray(array)
    return array


def scan(content: TensorContent) -> VectorScan:
    """One pass over all vectors in blocks of 64 MiB."""
    digest = Digest(repr((len(content), content.shape)))
    dimensions = content.shape[0]
    smallest, largest = np.full(dimensions, np.inf, np.float32), np.full(dimensions, -np.inf, np.float32)
    bad_rows, zero_rows = [], []
    for start, block in float_blocks(content):
        digest.add(np.ascontiguousarray(block).data)
        finite = np.isfinite(block)
        good = finite.all(axis=1)
        bad_rows.append(start + np.flatnonzero(~good))
        zero_rows.append(start + np.flatnonzero(~block.any(axis=1)))
        if good.any():
            np.minimum(smallest, block[good].min(axis=0), out=smallest)
            np.maximum(largest, block[good].max(axis=0), out=largest)
    return VectorScan(digest.hex(), _joined(bad_rows), _joined(zero_rows), smallest, largest)


def float_blocks(content: TensorContent) -> Iterator[tuple[int, np.ndarray]]:
    """First row and float32 values of successive blocks; pages of a mapped file do not pile up in memory."""
    rows = max(1, _BLOCK_BYTES // (4 * content.shape[0]))
    for start in range(0, len(content), rows):
        yield start, content.read(np.arange(start, min(start + rows, len(content)))).numpy()
        _drop_pages(content.array())


def _drop_pages(array: np.ndarray) -> None:
    """Lets go of the pages of a mapped file that were read; the system still holds them as long as it has room."""
    mapped = getattr(array, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def _joined(rows: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(rows) if rows else np.empty(0, np.int64)


def describe_bad_row(content: TensorContent, row: int) -> str:
    """What is wrong in a row: the first entry that is not a finite float32."""
    values = content.read(np.array([row])).numpy()[0]
    place = int(np.flatnonzero(~np.isfinite(values))[0])
    return f"{'NaN' if np.isnan(values[place]) else 'an infinite or too large number'} in dimension {place}"
