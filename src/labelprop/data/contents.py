"""Contents of a set: tensors in memory or on disk, and images that are decoded whenever they are read."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from labelprop.data.found import Originals
from labelprop.data.images import failure_reason, to_pixels
from labelprop.data.preprocessing import ImageFormat
from labelprop.errors import WorkError

RESIDENT_BYTES = 4 * 2**30  # above this a set is not moved to a device as one tensor
_AHEAD = 2  # tasks in flight a worker

Item = TypeVar("Item")
Result = TypeVar("Result")


def workers() -> int:
    """Threads that decode; Pillow releases the interpreter lock while it does."""
    return max(1, min(8, os.cpu_count() or 1))


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, in order, computed ahead by a pool of threads but never far ahead."""
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers(), thread_name_prefix="decode") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > _AHEAD * workers():
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def as_index(indices: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Dataset indices as int64 on the CPU."""
    return torch.as_tensor(indices, dtype=torch.int64, device="cpu").reshape(-1)


def shared_tensor(array: np.ndarray) -> torch.Tensor:
    """The array as a tensor on the same memory, also where that is read-only: it is never written here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


class TensorContent:
    """N examples as one tensor, which may be a memory-mapped file; `dtype` is what they are read as."""

    def __init__(self, tensor: torch.Tensor, dtype: torch.dtype, source: np.ndarray | None = None) -> None:
        self._tensor = tensor
        self._source = source
        self.dtype = dtype
        self.shape: tuple[int, ...] = tuple(tensor.shape[1:])

    def __len__(self) -> int:
        return int(self._tensor.shape[0])

    @property
    def nbytes(self) -> int:
        """Bytes of all examples in `dtype`."""
        return self._tensor.numel() * self.dtype.itemsize

    @property
    def resident(self) -> bool:
        return self.nbytes <= RESIDENT_BYTES

    def array(self) -> np.ndarray:
        """All examples as they are stored, whatever `dtype` says: no copy; a mapped file where they came from one."""
        return self._tensor.numpy() if self._source is None else self._source

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        chosen = self._tensor.index_select(0, as_index(indices))
        return chosen.to(self.dtype).contiguous()

    def stream(self, index_batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        return (self.read(indices) for indices in index_batches)

    def take(self, indices: np.ndarray) -> TensorContent:
        """These examples alone, in memory."""
        return TensorContent(self._tensor.index_select(0, as_index(indices)), self.dtype)


class StreamedImages:
    """Images that are decoded, and brought to one format, each time they are read."""

    dtype = torch.uint8
    resident = False

    def __init__(self, originals: Originals, rows: np.ndarray, image_format: ImageFormat) -> None:
        """`rows` (N,) are the rows of `originals` that can be read."""
        self._originals, self._rows, self._format = originals, rows, image_format
        self.shape: tuple[int, ...] = image_format.shape

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def nbytes(self) -> int:
        """Bytes of all examples once decoded."""
        return len(self) * int(np.prod(self.shape))

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Decoded images. Raises WorkError where a file that could be read before no longer can."""
        chosen = as_index(indices).numpy()
        pixels = np.empty((len(chosen), *self.shape), dtype=np.uint8)
        for place, row in enumerate(self._rows[chosen]):
            try:
                pixels[place] = to_pixels(self._originals.open(int(row)), self._format)
            except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
                raise WorkError(
                    f"the image {self._originals.where(int(row))} could be read when the data were opened and no "
                    f"longer can: {failure_reason(error)}. Put it back, or start again without it."
                ) from error
        return torch.from_numpy(pixels)

    def stream(self, index_batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """`read` of each batch in order, decoded ahead by a pool of threads."""
        return ahead(self.read, index_batches)

    def take(self, indices: np.ndarray) -> StreamedImages:
        """These examples alone."""
        return StreamedImages(self._originals, self._rows[indices], self._format)
