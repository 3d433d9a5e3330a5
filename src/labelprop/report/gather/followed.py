"""Vectors of the rows that were followed during training.

Shapes: N examples, D dimensions, S rows that were followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.report.gather.finished_run import FinishedRun

PANELS = 4  # side by side on a wide screen


@dataclass(frozen=True, slots=True, eq=False)
class FollowedVectors:
    """Unit vectors of chosen rows as they lay after an epoch."""

    epoch: int
    rows_of_classes_S: np.ndarray
    vectors_of_classes_SD: np.ndarray
    rows_of_one_S: np.ndarray
    vectors_of_one_SD: np.ndarray


def moments(run: FinishedRun) -> list[FollowedVectors]:
    """Up to four, evenly spread, the first and the last among them; none where no embedding was kept."""
    epoch_of = run.own.epoch_of_step
    steps = [step for step in run.vectors if step in epoch_of]
    chosen = sorted({round(place) for place in np.linspace(0, len(steps) - 1, PANELS)}) if steps else []
    return [_read(run.vectors[steps[i]], epoch_of[steps[i]], run.rows.n) for i in chosen]


def _read(path: Path, epoch: int, n: int) -> FollowedVectors:
    """Vectors as float32, of rows below `n`. RequestError where the file is damaged or of another run."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        rows = [found["rows_of_classes"], found["rows_of_one"]]
        vectors = [found["vectors_of_classes"].astype(np.float32), found["vectors_of_one"].astype(np.float32)]
        fits = all(len(a) == len(b) and (a < n).all() and b.ndim == 2 for a, b in zip(rows, vectors, strict=True))
    except (OSError, KeyError, SafetensorError) as error:
        raise RequestError(f"{path} cannot be read ({error}); remove it, and the page is made without it.") from error
    if not fits:
        raise RequestError(f"{path} is not of this run; remove it, and the page is made without it.")
    return FollowedVectors(epoch, rows[0], vectors[0], rows[1], vectors[1])


def class_of_rows(run: FinishedRun) -> np.ndarray:
    """(N,) the given label where there is one, else the truth; -1 where neither is known."""
    return np.where(run.rows.given_N, run.rows.label_N, run.rows.truth_N)
