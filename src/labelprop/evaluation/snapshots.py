"""Embeddings of a few chosen rows, kept at moments of the training: what the papers lay out in two dimensions.

Shapes: N examples, D dimensions, S chosen rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from labelprop.core.files import storage_errors, write_atomically

FOLDER = "analyses"  # of a run
CLASSES, OF_A_CLASS = 5, 100  # followed over time: more colors and dots would hide one another in a panel
OF_ONE_CLASS = 700  # the most numerous one, laid out alone


@dataclass(frozen=True, slots=True, eq=False)
class FollowedRows:
    """Which rows are kept, ascending: some of a few classes, and more of one class."""

    of_classes_S: np.ndarray
    of_one_S: np.ndarray


def choose_followed(codes_N: np.ndarray, given_N: np.ndarray, n_classes: int, seed: int) -> FollowedRows:
    """Up to 100 rows of each of up to 5 classes drawn with `seed`, and up to 700 of the most numerous class.

    `codes_N`: class of each row, negative where unknown; `given_N`: the given labels, -1 where there is none. Given
    rows come first, so they are among the chosen ones; of equally numerous classes the first is taken.
    """
    rng = np.random.default_rng(seed)
    counts_C = np.bincount(codes_N[codes_N >= 0], minlength=n_classes)[:n_classes]
    present = np.flatnonzero(counts_C)
    followed = np.sort(rng.permutation(present)[:CLASSES])

    def rows_of(code: int, limit: int) -> np.ndarray:
        shuffled_M = rng.permutation(np.flatnonzero(codes_N == code))
        given_first_M = shuffled_M[np.argsort(given_N[shuffled_M] < 0, kind="stable")]
        return given_first_M[:limit]

    of_classes = [rows_of(code, OF_A_CLASS) for code in followed.tolist()]
    of_one = rows_of(int(counts_C.argmax()), OF_ONE_CLASS) if len(present) else np.empty(0, np.int64)
    return FollowedRows(np.sort(np.concatenate([np.empty(0, np.int64), *of_classes])), np.sort(of_one))


@dataclass(frozen=True, slots=True, eq=False)
class VectorWriter:
    """Writes the vectors of the chosen rows to a file a moment, named by the steps done.

    The same moment writes the same file again, so that a continued run leaves what an unbroken one leaves.
    """

    folder: Path
    chosen: FollowedRows

    def keep(self, step: int, vectors_ND: np.ndarray) -> None:
        """`vectors_ND` of unit length, kept in half precision. StorageError where it cannot be written."""
        with storage_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        content = save(
            {
                "rows_of_classes": self.chosen.of_classes_S,
                "vectors_of_classes": vectors_ND[self.chosen.of_classes_S].astype(np.float16),
                "rows_of_one": self.chosen.of_one_S,
                "vectors_of_one": vectors_ND[self.chosen.of_one_S].astype(np.float16),
            }
        )
        write_atomically(self.folder / f"{step:09d}.safetensors", lambda partial: partial.write_bytes(content))
