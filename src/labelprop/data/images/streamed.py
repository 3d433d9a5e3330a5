"""Images that are decoded each time they are read, ahead of their use and in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch

from labelprop.core.errors import WorkError
from labelprop.core.threads import usable_cores
from labelprop.data.contents import Content, as_index
from labelprop.data.images.pixels import USUAL, ImageFormat, Scaling, failure_reason, to_pixels
from labelprop.data.source import Originals

_AHEAD = 2  # tasks in flight a worker, where nothing else is said

Item = TypeVar("Item")
Result = TypeVar("Result")


def workers() -> int:
    """Threads that decode; Pillow releases the interpreter lock while it does."""
    return min(8, usable_cores())


def ahead(function: Callable[[Item], Result], items: Iterable[Item], most: int | None = None) -> Iterator[Result]:
    """`function` of each item, in order, computed ahead by a pool of threads but never more than `most` ahead."""
    most = _AHEAD * workers() if most is None else most
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers(), thread_name_prefix="decode") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > most:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


class StreamedImages(Content):
    """Images that are decoded, and brought to one format, each time they are read."""

    dtype = torch.uint8

    def __init__(
        self, originals: Originals, rows: np.ndarray, image_format: ImageFormat, scaling: Scaling = USUAL
    ) -> None:
        """`rows` (N,) are the rows of `originals` that can be read."""
        self.originals, self.rows, self.format, self.scaling = originals, rows, image_format, scaling
        self.shape = image_format.shape

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def resident(self) -> bool:
        return False

    def read(self, indices: np.ndarray | torch.Tensor) -> torch.Tensor:
        """Decoded images. Raises WorkError where a file that could be read before no longer can."""
        chosen = as_index(indices).numpy()
        pixels = np.empty((len(chosen), *self.shape), dtype=np.uint8)
        for place, row in enumerate(self.rows[chosen]):
            try:
                pixels[place] = to_pixels(self.originals.open(int(row)), self.format, self.scaling)
            except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
                raise WorkError(
                    f"the image {self.originals.where(int(row))} could be read when the data were opened and no "
                    f"longer can: {failure_reason(error)}. Put it back, or start again without it."
                ) from error
        return torch.from_numpy(pixels)

    def stream(self, index_batches: Sequence[np.ndarray]) -> Iterator[torch.Tensor]:
        return ahead(self.read, index_batches)

    def take(self, indices: np.ndarray) -> StreamedImages:
        return type(self)(self.originals, self.rows[indices], self.format, self.scaling)
