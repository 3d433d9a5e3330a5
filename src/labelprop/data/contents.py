"""Contents of a set: tensors in memory or on disk, and images that are decoded whenever they are read."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch

RESIDENT_BYTES = 4 * 2**30  # above this a set is not moved to a device as one tensor


class Content(Protocol):
    """N examples addressed by dataset index."""

    shape: tuple[int, ...]  # of one example: (C, H, W) or (D,)
    dtype: torch.dtype  # what `read` gives: uint8 for images, float32 for vectors

    @property
    def resident(self) -> bool:
        """Whether all examples may be loaded to a device as one tensor."""
        return self.nbytes <= RESIDENT_BYTES

    @property
    def nbytes(self) -> int:
        """Bytes of all examples in `dtype`."""
        return len(self) * math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        """(B, *shape) on the CPU, a copy."""
        ...

    def stream(self, index_batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """`read` of each batch in order, read ahead where reading decodes files."""
        return (self.read(indices) for indices in index_batches)

    def take(self, indices: np.ndarray) -> Content:
        """These examples alone."""
        ...


def as_index(indices: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Dataset indices as int64 on the CPU."""
    return torch.as_tensor(indices, dtype=torch.int64, device="cpu").reshape(-1)


def shared_tensor(array: np.ndarray) -> torch.Tensor:
    """The array as a tensor on the same memory, also where that is read-only: it is never written here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


class TensorContent(Content):
    """N examples as one tensor, which may be a memory-mapped file; `dtype` is what they are read as."""

    def __init__(self, tensor: torch.Tensor, dtype: torch.dtype, source: np.ndarray | None = None) -> None:
        self._tensor = tensor
        self._source = source
        self.dtype, self.shape = dtype, tuple(tensor.shape[1:])

    def __len__(self) -> int:
        return int(self._tensor.shape[0])

    def array(self) -> np.ndarray:
        """All examples as they are stored, whatever `dtype` says: no copy; a mapped file where they came from one."""
        return self._tensor.numpy() if self._source is None else self._source

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        chosen = self._tensor.index_select(0, as_index(indices))
        return chosen.to(self.dtype).contiguous()

    def take(self, indices: np.ndarray) -> TensorContent:
        """These examples alone, in memory."""
        return TensorContent(self._tensor.index_select(0, as_index(indices)), self.dtype)
