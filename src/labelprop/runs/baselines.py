"""Baselines from the given labels alone: logistic regression, and the nearest labeled row.

A propagation pays only where it does better than these. Where there is no truth, given labels are hidden in turn
(`hide_labels`), and both predict them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.threads import threads
from labelprop.core.types import UNLABELED
from labelprop.data.labels.join import GivenLabels
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice.heads import CHOICES_OF_C, LABELS_ONLY_C, Head, labels_only_head
from labelprop.propagators.choice.hidden import Fit, HiddenLabels

FOLDS = 5
CHOICE_SECONDS = 10.0  # that repeating the propagation may take in any case
CHOICE_SIZE = 1 << 23  # labels x dimensions x classes; from here on a fit takes most of a second: C keeps its default
SMALL = 1 << 20  # numbers in features and logits; with two threads these wait for each other more than they compute


@dataclass(frozen=True, slots=True, eq=False)
class LabelsOnly:
    """Labels of all N rows from the given ones alone, -1 where there is none (a row of zeros has no nearest)."""

    logistic_N: np.ndarray
    nearest_N: np.ndarray


@dataclass(frozen=True, slots=True)
class HiddenCounts:
    """How many of `n` hidden labels each way of labeling found.

    `propagated` is None where repeating the propagation would have taken too long.
    """

    n: int
    folds: int
    logistic: int
    nearest: int
    propagated: int | None = None


class ScaledRows:
    """Rows as a logistic regression should see them: of length 1, or standardized where distances count."""

    def __init__(self, vectors: Any, labels_N: np.ndarray, device: torch.device | str, metric: str) -> None:
        self.rows: Rows = as_rows(vectors, device, metric)
        self._standard: tuple[torch.Tensor, torch.Tensor] | None = None
        if metric == "euclidean":
            block_MD = self.rows.take(self._places(np.flatnonzero(labels_N >= 0)))
            spread_D = block_MD.std(dim=0, correction=0)
            self._standard = block_MD.mean(dim=0), spread_D.masked_fill(spread_D == 0, 1)

    def take(self, places_M: np.ndarray) -> torch.Tensor:
        """Some rows, scaled (M, D)."""
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


def labels_only(scaled: ScaledRows, given: GivenLabels, C: float, seed: int = 0) -> LabelsOnly:
    """Both baselines for all rows; `C` is that of the logistic regression, `seed` that of the search."""
    if len(given.classes) == 1:
        everywhere_N = np.zeros(scaled.rows.n, dtype=np.int64)
        return LabelsOnly(everywhere_N, everywhere_N)
    logistic_N = scaled.predict(_head(scaled, given, given.labels_N, C))
    return LabelsOnly(logistic_N, _nearest_label(scaled, given.labels_N, scaled.rows, seed))


def hide_labels(
    scaled: ScaledRows, given: GivenLabels, refit: Fit | None, seed: int = 0, allowed_seconds: float = CHOICE_SECONDS
) -> tuple[HiddenCounts | None, float]:
    """Counts of the hidden labels that each way of labeling finds, and the C of the best logistic regression.

    `refit` propagates from fewer labels, as long as all folds will not take longer than allowed. The first is None
    where a class has fewer than 2 labels or there is one class.
    """
    counts_C = np.bincount(given.labels_N[given.labels_N >= 0], minlength=len(given.classes))
    if len(counts_C) == 1 or counts_C.min() < 2:
        return None, LABELS_ONLY_C
    hidden = HiddenLabels.dealt(given.labels_N, FOLDS, seed)

    def logistic(C: float) -> Fit:
        def fit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
            logits_HC = _head(scaled, given, shown_N, C).logits(scaled.take(row_H))
            return logits_HC.argmax(dim=1).cpu().numpy()

        return fit

    def near(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        return _nearest_label(scaled, shown_N, scaled.subset(row_H), seed)

    size = hidden.n * scaled.rows.dim * len(given.classes)
    choices = CHOICES_OF_C if size <= CHOICE_SIZE else (LABELS_ONLY_C,)
    right = {C: hidden.right(logistic(C)) for C in choices}
    best = max(choices, key=lambda C: (right[C], -C))  # ties: the smoothest
    propagated = None if refit is None else hidden.right_within(allowed_seconds, refit)
    return HiddenCounts(hidden.n, len(hidden.folds), right[best], hidden.right(near), propagated), best


def _head(scaled: ScaledRows, given: GivenLabels, shown_N: np.ndarray, C: float) -> Head:
    labeled_M = np.flatnonzero(shown_N >= 0)
    labels_M, weights_M = torch.from_numpy(shown_N[labeled_M]), torch.from_numpy(given.weights_N[labeled_M])
    seeds = Seeds.hard(labels_M, len(given.classes), weights_M)
    rows = as_rows(scaled.take(labeled_M), scaled.rows.device, "inner")  # as they are
    small = len(labeled_M) * (rows.dim + seeds.n_classes) < SMALL
    with threads(1 if small else None):
        return labels_only_head(rows, seeds.to(rows.device), C=C)


def _nearest_label(scaled: ScaledRows, shown_N: np.ndarray, queries: Rows, seed: int) -> np.ndarray:
    labeled_M = np.flatnonzero(shown_N >= 0)
    among, device = scaled.subset(labeled_M), str(scaled.rows.device)
    found = nearest(among, 1, queries=queries, metric=scaled.rows.metric, device=device, seed=seed)
    places = found.indices_NK[:, 0].cpu().numpy()
    return np.where(places >= 0, shown_N[labeled_M][places], UNLABELED)
