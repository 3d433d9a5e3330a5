"""What a data source hands over, and the protocols on both sides of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class Columns:
    """Column names of a table (`--label-col` and so on); None means the usual name, where there is one."""

    label: str | None = None
    id: str | None = None
    image: str | None = None
    text: str | None = None
    embedding: str | None = None
    truth: str | None = None


NO_COLUMNS = Columns()


class Originals(Protocol):
    """Images as they were given, addressed by row of the source."""

    def __len__(self) -> int: ...

    def open(self, row: int) -> Image.Image:
        """The image of a row, not yet decoded. Raises OSError or ValueError where there is none."""
        ...

    def where(self, row: int) -> str:
        """How to point at a row: its file, where it has one."""
        ...

    def fingerprint(self, row: int) -> str:
        """A hash of the stored content of a row; equal for copies."""
        ...

    def digest(self) -> str:
        """A hash of all rows and their order."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All rows of a source before anything is decoded or checked.

    Exactly one of `images`, `vectors` (n, D) and `texts` is set. `given` holds label texts, None where
    unlabeled; `declared` the class names the source knows, also those without an example. What takes long to read
    may come as a function, which is then called with a folder for large files.
    """

    name: str
    ids: Sequence[str]
    given: Sequence[str | None]
    images: Originals | Callable[[Path], Originals] | None = None
    vectors: Any = None  # an array or tensor, or what reads one, as with `images`
    texts: Sequence[str | None] | None = None
    declared: tuple[str, ...] = ()


class Source(Protocol):
    """One kind of DATA. To add one: a class with these two methods and a line in `registry.SOURCES`."""

    def claims(self, data: object) -> bool:
        """Whether `data` (a path or an object) is of this kind. At most one source claims it."""
        ...

    def read(self, data: Any, columns: Columns) -> Found:
        """All rows of it. Raises DataError naming file, row or column."""
        ...


def as_path(data: object) -> Path | None:
    """`data` as a path, or None where it is no path at all."""
    return Path(data).expanduser() if isinstance(data, str | Path) else None


class Content(Protocol):
    """N examples addressed by dataset index."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one example: (C, H, W) or (D,)."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """What `read` gives: uint8 for images, float32 for vectors."""
        ...

    @property
    def resident(self) -> bool:
        """Whether all examples may be loaded to a device as one tensor."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of all examples in `dtype`."""
        ...

    def __len__(self) -> int: ...

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        """(B, *shape) on the CPU, a copy."""
        ...

    def stream(self, index_batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        """`read` of each batch in order, read ahead where reading decodes files."""
        ...

    def take(self, indices: np.ndarray) -> Content:
        """These examples alone."""
        ...
