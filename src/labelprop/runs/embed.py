"""Networks and examples to vectors: outputs of the network in training, and embeddings by a frozen backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from labelprop.core.cache import Cache
from labelprop.core.errors import DataError, RequestError
from labelprop.core.files import content_key, save_array
from labelprop.data.samples import Samples
from labelprop.models.adapt import as_feature
from labelprop.models.backbone import ACCEPTED, Backbone

VERSION = 1  # of how vectors are computed; a change makes cached ones stale


def embed_samples(
    samples: Samples,
    backbone: Backbone,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
    progress: Callable[[int, int], None] | None = None,
    cache: Path | None = None,
) -> np.ndarray:
    """(N, D) float32 rows of unit length, in the order of `samples`, from the cache where they were made before.

    `progress(done, total)` is called after each batch. `cache` is the cache's folder (None: the usual one). An
    example that the backbone maps to 0 keeps a row of zeros.

    Raises RequestError where the backbone does not take such examples, DataError naming the first example whose
    vector is not finite, StorageError where the cache cannot be written.
    """
    if not backbone.digest:
        return _embed(samples, backbone, torch.device(device), batch_size, progress)
    key = f"embedding-{content_key(VERSION, samples.digest, backbone.digest)}.npy"
    made: list[np.ndarray] = []

    def write(path: Path) -> None:
        made.append(_embed(samples, backbone, torch.device(device), batch_size, progress))
        save_array(path, made[0])

    path = Cache(cache).build(key, write)
    return made[0] if made else np.asarray(np.load(path, allow_pickle=False))


@torch.no_grad()
def embedded_batches(
    samples: Samples, backbone: Backbone, *, device: torch.device | str = "cpu", batch_size: int = 128
) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
    """Rows (B,) and their float32 vectors (B, D) of unit length on the CPU: one batch in memory at a time.

    Texts do not come in the order of `samples`. Raises as `embed_samples`.
    """
    accepted = ACCEPTED[backbone.modality]
    if samples.modality not in accepted:
        raise RequestError(
            f"'{samples.name}' holds {samples.modality}s, but backbone '{backbone.name}' takes {accepted[0]}s; "
            f"give a backbone for {samples.modality}s."
        )
    device = torch.device(device)
    for rows, batch in raw_batches(samples, device=device, batch_size=batch_size):
        vectors_BD = F.normalize(as_feature(backbone.embed(batch, device)).float(), dim=1).cpu()
        finite_B = vectors_BD.isfinite().all(1).numpy()
        if not finite_B.all():
            culprit = samples.ids[rows[~finite_B][0]]
            raise DataError(
                f"backbone '{backbone.name}' gives a vector that is not finite for '{culprit}'; "
                "check that example, or leave it out."
            )
        yield rows, vectors_BD


def _embed(
    samples: Samples,
    backbone: Backbone,
    device: torch.device,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    n = len(samples)
    vectors_ND = np.zeros((n, 0), np.float32)
    done = 0
    for rows, vectors_BD in embedded_batches(samples, backbone, device=device, batch_size=batch_size):
        if not done:
            vectors_ND = np.zeros((n, vectors_BD.shape[1]), np.float32)
        vectors_ND[rows] = vectors_BD.numpy()
        done += len(rows)
        if progress is not None:
            progress(done, n)
    return vectors_ND


def raw_batches(samples: Samples, *, device: torch.device, batch_size: int) -> Iterator[tuple[np.ndarray, Any]]:
    """Rows (B,) and raw examples on the device, or lists of texts.

    Texts come sorted by length, so that little of a batch is padding.
    """
    order = np.arange(len(samples))
    if samples.texts is not None:
        order = np.argsort([len(text) for text in samples.texts], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if samples.content is not None:
        for rows, raw in zip(batches, samples.content.stream(batches), strict=True):
            yield rows, raw.to(device)
        return
    texts: Sequence[str] = samples.texts or ()
    for rows in batches:
        yield rows, [texts[row] for row in rows]
