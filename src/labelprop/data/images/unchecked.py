"""Images of which only the headers were read: each is read, hashed and decoded once, when a backbone wants it."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from labelprop.core.cache import Cache
from labelprop.core.row_cache import RowCache
from labelprop.data.images.pixels import DECODER_VERSION, failure_reason, to_pixels
from labelprop.data.images.streamed import StreamedImages, ahead, workers

_TRIED = 32  # at once, where all are tried
_CHECKED = 8  # files whose remembered key is compared with what they hold


class Attempt(NamedTuple):
    """What came of one image: pixels and the key of its content; no pixels where the key is known; or a reason."""

    key: bytes = b""
    pixels: np.ndarray | None = None
    reason: str | None = None
    identity: bytes | None = None


class UncheckedImages(StreamedImages):
    """As `StreamedImages`, but `rows` may hold images that turn out to be damaged."""

    @property
    def described(self) -> str:
        """All that decides the pixels beside the stored content."""
        return f"{DECODER_VERSION} {self.format} {self.scaling}"

    def attempts(self, batches: Sequence[np.ndarray], known: Container[bytes]) -> Iterator[list[Attempt]]:
        """Of each batch of indices in order, an attempt an image; up to two batches ahead, in threads."""
        attempt_of = lambda row: self._attempt(int(row), known)  # noqa: E731
        most = max(map(len, batches), default=0) + 2 * workers()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")  # of odd metadata: only unreadable pixels matter here
            made = ahead(attempt_of, chain.from_iterable(self.rows[batch] for batch in batches), most)
            try:
                for batch in batches:
                    yield list(islice(made, len(batch)))
            finally:
                made.close()  # type: ignore[attr-defined]

    def failures(self) -> dict[int, str]:
        """Index and reason of those that cannot be decoded. All are tried."""
        batches = np.array_split(np.arange(len(self)), -(-len(self) // _TRIED) or 1)
        tried = chain.from_iterable(self.attempts(batches, known=()))
        return {index: one.reason for index, one in enumerate(tried) if one.reason is not None}

    def _attempt(self, row: int, known: Container[bytes]) -> Attempt:
        identity = self.originals.identity(row)
        try:
            key, image = self.originals.keyed(row)
            if identity != self.originals.identity(row):  # changed meanwhile
                identity = None
            if key in known:
                return Attempt(key, identity=identity)
            return Attempt(key, to_pixels(image, self.format, self.scaling), identity=identity)
        except MemoryError:  # not the fault of the file
            raise
        except Exception as error:  # Pillow's readers raise whatever a damaged file leads them to
            return Attempt(reason=failure_reason(error))


class Remembered:
    """Keys of files that were read before, by what the file system says of them: they need not be read again.

    A few are read all the same and compared; where one differs, none is believed.
    """

    def __init__(self, cache: Cache) -> None:
        self._kept = RowCache(cache, "keys", np.uint8)

    def keys(self, images: UncheckedImages) -> list[bytes | None]:
        """Of each image; None where it must be read."""
        identities = [images.originals.identity(int(row)) for row in images.rows]
        keys: list[bytes | None] = [None] * len(images)
        places, found = self._kept.find(identities)
        for place, key in zip(places.tolist(), found, strict=True):
            keys[place] = key.tobytes()
        return keys if self._confirmed(images, keys, places) else [None] * len(images)

    def _confirmed(self, images: UncheckedImages, keys: Sequence[bytes | None], places: np.ndarray) -> bool:
        for place in places[:: max(1, len(places) // _CHECKED)]:
            try:
                key, _ = images.originals.keyed(int(images.rows[place]))
            except Exception:  # whatever it is, it is not what it was
                return False
            if key != keys[place]:
                return False
        return True

    def add(self, attempts: Sequence[Attempt]) -> None:
        """Keeps the keys of these. Raises StorageError where the cache cannot be written."""
        kept = {one.identity: one.key for one in attempts if one.identity is not None and one.key}
        kept = {identity: key for identity, key in kept.items() if identity not in self._kept}
        keys = np.frombuffer(b"".join(kept.values()), np.uint8).reshape(len(kept), -1) if kept else np.zeros((0, 0))
        self._kept.add([*kept], keys)
