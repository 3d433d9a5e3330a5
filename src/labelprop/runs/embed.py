"""Examples to vectors by a frozen backbone, from the cache where they were made before."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.core.cache import Cache
from labelprop.core.errors import DataError
from labelprop.core.eta import Eta
from labelprop.core.files import content_key
from labelprop.core.progress import Reporter
from labelprop.core.row_cache import RowCache, key_of
from labelprop.core.text import a_second, about
from labelprop.data.images.unchecked import Attempt, Remembered, UncheckedImages
from labelprop.data.samples import Samples
from labelprop.models.adapt import as_feature
from labelprop.models.backbone import Backbone

VERSION = 2  # of how vectors are computed; a change makes cached ones stale
KEPT_EVERY = 16  # batches: what a killed process loses at most
ON_CPU, ON_GPU = 32, 128  # examples a batch
FORETOLD_S = 10.0  # what takes less need not be foretold


class EmbeddedBatch(NamedTuple):
    """Rows (B,) of the examples, float32 vectors (B, D) of unit length on the CPU, and why others could not be read.

    `attempts` are of all images that could, also of those whose key is known, but without their pixels.
    """

    rows: np.ndarray
    vectors: torch.Tensor
    failures: Mapping[int, str] = MappingProxyType({})
    attempts: Mapping[int, Attempt] = MappingProxyType({})


def embed_samples(
    samples: Samples,
    backbone: Backbone,
    *,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    began: Callable[[int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> tuple[np.ndarray, dict[int, str], str]:
    """(N, D) float32 rows of unit length; index and reason of images that cannot be read; a hash of the content.

    Failed images have no row. What was made before comes from the cache, example by example, so that a process that
    was killed goes on. `began(left)` is told how many examples are left to embed, `progress(done, total)` is called
    after each batch. `cache` is the cache's folder (None: the usual one). An example that the backbone maps to 0
    keeps a row of zeros.

    Raises RequestError where the backbone does not take such examples, DataError naming the first example whose
    vector is not finite, StorageError where the cache cannot be written.
    """
    backbone.kinds.check(samples.name, samples.modality)
    vectors = _Vectors(samples, backbone, Cache(cache))
    n = len(samples)
    if began is not None:
        began(int(vectors.missing.sum()))
    for number, batch in enumerate(
        embedded_batches(
            samples, backbone, device=device, batch_size=batch_size, wanted=vectors.missing, known=vectors.kept or ()
        )
    ):
        vectors.take(batch)
        if number % KEPT_EVERY == KEPT_EVERY - 1:
            vectors.keep()
        if progress is not None:
            progress(n - int(vectors.missing.sum()), n)
    vectors.keep()
    read = np.delete(np.arange(n), list(vectors.failures))
    return vectors.rows_ND[read], vectors.failures, vectors.digest(read)


class _Vectors:
    """The vectors of `samples` so far, and the cache of them."""

    def __init__(self, samples: Samples, backbone: Backbone, cache: Cache) -> None:
        self._samples, self._fresh, n = samples, list[int](), len(samples)
        content = samples.content
        images = content if isinstance(content, UncheckedImages) else None
        shape = content.shape if content is not None else ()
        self._seen_as = images.described if images is not None else f"{samples.modality} {shape}"
        name = content_key(VERSION, backbone.digest, self._seen_as)
        self.kept = RowCache(cache, f"vectors-{name}") if backbone.digest else None
        self._remembered = Remembered(cache) if images is not None and backbone.digest else None
        self._attempts: list[Attempt] = []
        self.keys: list[bytes | None] = [None] * n
        if self._remembered is not None and images is not None:
            self.keys = self._remembered.keys(images)
        elif images is None and backbone.digest:
            self.keys = [*_keys(samples)]
        self.rows_ND = np.zeros((n, 0), np.float32)
        self.missing = np.ones(n, bool)
        self.failures: dict[int, str] = {}
        self._recall(range(n))

    def _recall(self, rows: Sequence[int]) -> None:
        """Fills in what the cache holds of these rows."""
        if self.kept is None:
            return
        places, found = self.kept.find([self.keys[row] for row in rows])
        if len(places):
            self._put(np.asarray(rows)[places], found)

    def _put(self, rows: np.ndarray, vectors_BD: np.ndarray) -> None:
        if not self.rows_ND.shape[1]:
            self.rows_ND = np.zeros((len(self.rows_ND), vectors_BD.shape[1]), np.float32)
        self.rows_ND[rows], self.missing[rows] = vectors_BD, False

    def take(self, batch: EmbeddedBatch) -> None:
        for row, attempt in batch.attempts.items():
            self.keys[row] = attempt.key
        self._attempts += batch.attempts.values()
        self.failures |= batch.failures
        self.missing[list(batch.failures)] = False
        if len(batch.rows):
            self._put(batch.rows, batch.vectors.numpy())
        self._fresh += batch.rows.tolist()
        self._recall([row for row in batch.attempts if self.missing[row]])

    def keep(self) -> None:
        """Writes what is new to the cache."""
        if self._remembered is not None:
            self._remembered.add(self._attempts)
        if self.kept is not None:
            fresh = {key: row for row in self._fresh if (key := self.keys[row]) is not None}
            self.kept.add([*fresh], self.rows_ND[[*fresh.values()]])
        self._attempts, self._fresh = [], []

    def digest(self, read: np.ndarray) -> str:
        """A hash of the content of these rows and their order."""
        if not isinstance(self._samples.content, UncheckedImages):
            return self._samples.digest
        return content_key(self._seen_as, b"".join(self.keys[row] or b"" for row in read))


class Foretold:
    """Progress of an embedding: says once, from the pace after the first batch, how long all takes."""

    def __init__(self, reporter: Reporter, stage: str) -> None:
        self._reporter, self._stage = reporter, stage
        self._eta, self._began, self._said = Eta(0.0), time.monotonic(), False

    def __call__(self, done: int, total: int) -> None:
        if not self._said:
            left = self._eta(done, total)
            if left is not None and self._eta.pace is not None:
                self._said, seconds = True, time.monotonic() - self._began + left
                if seconds >= FORETOLD_S:
                    pace = a_second(self._eta.pace)
                    self._reporter.say(f"{self._stage} takes {about(seconds)}, at {pace}")
        self._reporter.advance(self._stage, done, total)


def _keys(samples: Samples) -> Iterator[bytes]:
    """A key of each example that is in memory already."""
    if samples.texts is not None:
        yield from map(key_of, samples.texts)
    elif samples.content is not None:
        for start in range(0, len(samples), 1024):
            rows = np.arange(start, min(start + 1024, len(samples)))
            yield from (key_of(row.tobytes()) for row in samples.content.read(rows).numpy())


@torch.no_grad()
def embedded_batches(
    samples: Samples,
    backbone: Backbone,
    *,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
    wanted: np.ndarray | None = None,
    known: Container[bytes] = (),
) -> Iterator[EmbeddedBatch]:
    """One batch after the other in memory; texts do not come in the order of `samples`.

    `wanted` (N,) says which examples are asked for: how they are shared out to batches does not depend on it. Of
    images whose key is `known` the key is all that comes. Raises as `embed_samples`.
    """
    backbone.kinds.check(samples.name, samples.modality)
    device = torch.device(device)
    batches = _batches(samples, batch_size or (ON_CPU if device.type == "cpu" else ON_GPU), wanted)
    content = samples.content
    if not isinstance(content, UncheckedImages):
        for rows, batch in _raw(samples, batches, device):
            yield EmbeddedBatch(rows, _embed(samples, rows, batch, backbone, device))
        return
    for rows, attempts in zip(batches, content.attempts(batches, known), strict=True):
        tried = dict(zip(rows.tolist(), attempts, strict=True))
        failures = {row: one.reason for row, one in tried.items() if one.reason is not None}
        pixels = {row: one.pixels for row, one in tried.items() if one.pixels is not None}
        decoded, vectors_BD = np.array([*pixels], np.int64), torch.zeros(0, 0)
        if pixels:
            raw_B = torch.from_numpy(np.stack([*pixels.values()])).to(device)
            vectors_BD = _embed(samples, decoded, raw_B, backbone, device)
        read = {row: one._replace(pixels=None) for row, one in tried.items() if row not in failures}
        yield EmbeddedBatch(decoded, vectors_BD, failures, read)


def _embed(samples: Samples, rows: np.ndarray, batch: Any, backbone: Backbone, device: torch.device) -> torch.Tensor:
    vectors_BD = F.normalize(as_feature(backbone.embed(batch, device)).float(), dim=1).cpu()
    finite_B = vectors_BD.isfinite().all(1).numpy()
    if not finite_B.all():
        culprit = samples.ids[rows[~finite_B][0]]
        raise DataError(
            f"backbone '{backbone.name}' gives a vector that is not finite for '{culprit}'; "
            "check that example, or leave it out."
        )
    return vectors_BD


def raw_batches(samples: Samples, *, device: torch.device, batch_size: int) -> Iterator[tuple[np.ndarray, Any]]:
    """Rows (B,) and raw examples on the device, or lists of texts."""
    return _raw(samples, _batches(samples, batch_size), device)


def _batches(samples: Samples, batch_size: int, wanted: np.ndarray | None = None) -> list[np.ndarray]:
    """Rows of each batch. Texts come sorted by length, so that little of a batch is padding."""
    order = np.arange(len(samples))
    if samples.texts is not None:
        order = np.argsort([len(text) for text in samples.texts], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if wanted is None:
        return batches
    return [left for rows in batches if len(left := rows[wanted[rows]])]


def _raw(samples: Samples, batches: Sequence[np.ndarray], device: torch.device) -> Iterator[tuple[np.ndarray, Any]]:
    if samples.content is not None:
        for rows, raw in zip(batches, samples.content.stream(batches), strict=True):
            yield rows, raw.to(device)
        return
    texts: Sequence[str] = samples.texts or ()
    for rows in batches:
        yield rows, [texts[row] for row in rows]
