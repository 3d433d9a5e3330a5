"""What the given labels alone say, without the unlabeled rows: logistic regression, and the nearest labeled row.

A propagation is worth its trouble only where it does better than these. Where no truth is at hand, given labels are
hidden in turn (`hide_labels`), and both sides are asked for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.types import UNLABELED
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.graph.seeds import SeedKFold, Seeds
from labelprop.propagators.choice.heads import Head, labels_only_head

STRENGTHS = (10.0, 100.0, 1000.0)  # C of the logistic regression, on rows of length 1
USUAL_STRENGTH = 100.0  # where no label can be hidden to choose one
FOLDS = 5
CHOICE_SECONDS = 10.0  # that choosing C may take, and asking the propagator again in any case

SMALL = 1 << 20  # numbers in features and logits; with two threads these wait for each other more than they compute

Refit = Callable[[np.ndarray], np.ndarray]  # labels (N,) with hidden ones -1 -> labels (N,)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """The given labels of N rows: class numbers, -1 where there is none, and how much each counts."""

    labels_N: np.ndarray
    weights_N: np.ndarray
    n_classes: int
    seed: int = 0

    @property
    def labeled_M(self) -> np.ndarray:
        return np.flatnonzero(self.labels_N >= 0)

    @property
    def folds(self) -> int:
        """Into how many parts the labels can be dealt so that each leaves every class some; 0 where none can."""
        smallest = int(np.bincount(self.labels_N[self.labeled_M], minlength=self.n_classes).min())
        return min(FOLDS, smallest) if smallest >= 2 and self.n_classes > 1 else 0


@dataclass(frozen=True, slots=True, eq=False)
class LabelsOnly:
    """Labels of all N rows from the given ones alone, -1 where there is none (a row of zeros has no nearest)."""

    logistic_N: np.ndarray
    nearest_N: np.ndarray


@dataclass(frozen=True, slots=True)
class Hidden:
    """How many of `n` given labels were found again while they were hidden, by way of labeling.

    `propagated` is None where asking the propagator again would have taken too long.
    """

    n: int
    folds: int
    logistic: int
    nearest: int
    propagated: int | None = None


class Features:
    """Rows as a logistic regression should see them: of length 1, or standardized where distances count."""

    def __init__(self, vectors: Any, labeled_M: np.ndarray, device: torch.device | str, metric: str) -> None:
        self.rows: Rows = as_rows(vectors, device, metric)
        self._standard: tuple[torch.Tensor, torch.Tensor] | None = None
        if metric == "euclidean":
            block_MD = self.rows.take(self._places(labeled_M))
            spread_D = block_MD.std(dim=0, correction=0)
            self._standard = block_MD.mean(dim=0), spread_D.masked_fill(spread_D == 0, 1)

    def take(self, places_M: np.ndarray) -> torch.Tensor:
        """Some rows as they are seen, (M, D)."""
        return self._seen(self.rows.take(self._places(places_M)))

    def subset(self, places_M: np.ndarray) -> Rows:
        """Some rows to search."""
        return self.rows.subset(self._places(places_M))

    def predict(self, head: Head) -> np.ndarray:
        """The likeliest class of every row, (N,)."""
        codes_N = np.empty(self.rows.n, dtype=np.int64)
        for start, stop in spans(self.rows.n, self.rows.dim + len(head.bias_C)):
            codes_N[start:stop] = head.logits(self._seen(self.rows.read(start, stop))).argmax(dim=1).cpu().numpy()
        return codes_N

    def _seen(self, block: torch.Tensor) -> torch.Tensor:
        if self._standard is None:
            return block
        mean_D, spread_D = self._standard
        return (block - mean_D) / spread_D

    def _places(self, places_M: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(places_M).to(self.rows.device)


def labels_only(features: Features, given: Given, strength: float) -> LabelsOnly:
    """Both baselines for all rows; `strength` is the C of the logistic regression."""
    labeled_M = given.labeled_M
    if given.n_classes == 1:
        everywhere_N = np.zeros(features.rows.n, dtype=np.int64)
        return LabelsOnly(everywhere_N, everywhere_N)
    return LabelsOnly(
        features.predict(_head(features, given, labeled_M, strength)),
        _nearest_label(features, given, labeled_M, features.rows),
    )


def hide_labels(
    features: Features, given: Given, refit: Refit | None, allowed_seconds: float = CHOICE_SECONDS
) -> tuple[Hidden | None, float]:
    """The given labels, each hidden once and asked for; and the C of the logistic regression that found most.

    `refit` propagates from fewer labels; where the first time shows that all folds would take longer than allowed,
    it is not asked again. The first is None where a class has fewer than 2 labels or there is one class.
    """
    if not given.folds:
        return None, USUAL_STRENGTH
    labeled_M = given.labeled_M
    started = time.perf_counter()
    _head(features, given, labeled_M, USUAL_STRENGTH)
    strengths = _affordable(STRENGTHS, given.folds * (time.perf_counter() - started))
    right = dict.fromkeys(strengths, 0)
    near, propagated = 0, 0
    for kept_M, hidden_M in _folds(given):
        truth_M = given.labels_N[hidden_M]
        hidden_MD = features.take(hidden_M)
        for strength in strengths:
            found_M = _head(features, given, kept_M, strength).logits(hidden_MD).argmax(dim=1).cpu().numpy()
            right[strength] += int((found_M == truth_M).sum())
        near += int((_nearest_label(features, given, kept_M, features.subset(hidden_M)) == truth_M).sum())
        if refit is not None:
            labels_N = given.labels_N.copy()
            labels_N[hidden_M] = UNLABELED
            started = time.perf_counter()
            propagated += int((refit(labels_N)[hidden_M] == truth_M).sum())
            if given.folds * (time.perf_counter() - started) > allowed_seconds:
                refit = None
    best = max(strengths, key=lambda strength: (right[strength], -strength))
    hidden = Hidden(len(labeled_M), given.folds, right[best], near, propagated if refit is not None else None)
    return hidden, best


@contextmanager
def threads(n: int) -> Iterator[None]:
    """torch computes with `n` threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _affordable(strengths: tuple[float, ...], seconds_each: float) -> tuple[float, ...]:
    return strengths if len(strengths) * seconds_each <= CHOICE_SECONDS else (USUAL_STRENGTH,)


def _folds(given: Given) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of the labels kept and of those hidden."""
    split = SeedKFold(given.folds, random_state=given.seed).split(None, given.labels_N)
    return [(kept_N[given.labels_N[kept_N] >= 0], hidden_M) for kept_N, hidden_M in split]


def _head(features: Features, given: Given, labeled_M: np.ndarray, strength: float) -> Head:
    labels_M = torch.from_numpy(given.labels_N[labeled_M])
    seeds = Seeds.hard(labels_M, given.n_classes, torch.from_numpy(given.weights_N[labeled_M]))
    rows = as_rows(features.take(labeled_M), features.rows.device, "inner")  # as they are
    small = len(labeled_M) * (rows.dim + given.n_classes) < SMALL
    with threads(1 if small else torch.get_num_threads()):
        return labels_only_head(rows, seeds.to(rows.device), C=strength)


def _nearest_label(features: Features, given: Given, labeled_M: np.ndarray, queries: Rows) -> np.ndarray:
    found = nearest(
        features.subset(labeled_M),
        1,
        queries=queries,
        metric=features.rows.metric,
        device=str(features.rows.device),
        seed=given.seed,
    )
    places = found.indices_NK[:, 0].cpu().numpy()
    return np.where(places >= 0, given.labels_N[labeled_M][places], UNLABELED)
