"""Decoded pixels in a memory-mapped .npy file of the cache."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import torch

from labelprop.core.cache import Cache
from labelprop.core.errors import StorageError
from labelprop.core.progress import advance
from labelprop.data.contents import shared_tensor
from labelprop.data.images.pixels import ImageFormat, failure_reason, to_pixels
from labelprop.data.images.streamed import ahead
from labelprop.data.source import Originals

_TASK = 64  # images a task of the pool

Result = TypeVar("Result")


def over_rows(function: Callable[[int], Result], rows: np.ndarray) -> Iterator[Result | str]:
    """`function(row)` for each row in order, or the reason why it failed."""

    def block(chunk: np.ndarray) -> list[Result | str]:
        return [_attempt(function, int(row)) for row in chunk]

    chunks = [rows[start : start + _TASK] for start in range(0, len(rows), _TASK)]
    with warnings.catch_warnings():  # Pillow warns about odd metadata; only unreadable pixels matter here
        warnings.simplefilter("ignore")
        for number, results in enumerate(ahead(block, chunks), start=1):
            yield from results
            advance("reading images", number, len(chunks))


def _attempt(function: Callable[[int], Result], row: int) -> Result | str:
    try:
        return function(row)
    except MemoryError:  # not the fault of the file
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
        return failure_reason(error)


def write_pixels(path: Path, originals: Originals, rows: np.ndarray, target: ImageFormat) -> dict[int, str]:
    """Decode `rows` into a .npy file (N, C, H, W); returns row -> reason of those that cannot be read.

    Written by appending, not through a memory map, where a full disk would kill the process.
    """
    failures: dict[int, str] = {}
    with path.open("wb") as file:
        _write_header(file, (len(rows), *target.shape))
        start = file.tell()
        for row, pixels in zip(
            rows, over_rows(lambda row: to_pixels(originals.open(row), target), rows), strict=True
        ):
            if isinstance(pixels, str):
                failures[int(row)] = pixels
            else:
                file.write(pixels.tobytes())
        file.seek(0)
        _write_header(file, (len(rows) - len(failures), *target.shape))
        if file.tell() != start:  # numpy pads the header so that the first axis may change
            raise AssertionError("the .npy header changed its length")
    return failures


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


def load_pixels(cache: Cache, key: str, originals: Originals, rows: np.ndarray, target: ImageFormat) -> torch.Tensor:
    """The cached pixels, memory-mapped; decoded again where the file was removed or damaged."""
    shape = (len(rows), *target.shape)
    if not len(rows):
        return torch.empty(shape, dtype=torch.uint8)
    for _ in range(2):
        try:
            pixels = np.load(cache.path(key), mmap_mode="r")
            if pixels.shape == shape:
                return shared_tensor(pixels)
        except (OSError, ValueError, EOFError):
            pass
        cache.write(key, lambda file: write_pixels(file, originals, rows, target))
    raise StorageError(f"the cache file {cache.path(key)} cannot be read back; delete it and start again.")
