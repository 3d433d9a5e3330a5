"""The best classes of each row, for results too wide to hold: N x C numbers become N x m."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch

from labelprop.core.types import Propagation
from labelprop.functional.weigh import normalize_rows

DENSE_LIMIT = 1 << 28  # N x C beyond which results hold only the best classes of a row
DEFAULT_TOP = 16


def compact(found: Propagation, top: int) -> Propagation:
    """The same result with scores and distributions as torch sparse CSR of each row's `top` best classes.

    Distributions are rescaled to sum 1; labels and certainties stay those over all classes.
    """
    top = min(top, found.distributions_NC.shape[1])
    order = found.distributions_NC.sort(dim=1, descending=True, stable=True).indices  # ties: the lowest class
    classes_NM = order[:, :top].sort(dim=1).values
    shares_NM = found.distributions_NC.gather(1, classes_NM)
    shares_NM = shares_NM / shares_NM.sum(dim=1, keepdim=True)
    size = found.scores_NC.shape
    return replace(
        found,
        scores_NC=_csr(classes_NM, found.scores_NC.gather(1, classes_NM), size),
        distributions_NC=_csr(classes_NM, shares_NM, size),
    )


class TopClasses:
    """Takes non-negative scores a block of classes at a time; labels, sums and entropies are over all of them."""

    def __init__(self, n: int, n_classes: int, top: int, dtype: torch.dtype, device: torch.device) -> None:
        self.n, self.n_classes, self.top = n, n_classes, min(top, n_classes)
        self._values_NM = torch.empty(n, 0, dtype=dtype, device=device)
        self._classes_NM = torch.empty(n, 0, dtype=torch.int64, device=device)
        self._raw_NM: torch.Tensor | None = None
        self._best_N = torch.zeros(n, dtype=dtype, device=device)
        self.labels_N = torch.zeros(n, dtype=torch.int64, device=device)  # ties: the lowest class
        self._sum_N = torch.zeros(n, dtype=torch.float64, device=device)
        self._z_log_z_N = torch.zeros(n, dtype=torch.float64, device=device)

    def add(self, scores_NB: torch.Tensor, first: int, raw_NB: torch.Tensor | None = None) -> None:
        """Scores of the classes from `first` on, in ascending blocks.

        `raw_NB` is what to give back as scores where shares are of `scores_NB`; if given, then with every block.
        """
        self._sum_N += scores_NB.sum(dim=1, dtype=torch.float64)
        self._z_log_z_N += torch.special.xlogy(scores_NB, scores_NB).sum(dim=1, dtype=torch.float64)
        best = scores_NB.max(dim=1)
        higher_N = best.values > self._best_N
        self.labels_N = torch.where(higher_N, best.indices + first, self.labels_N)
        self._best_N = torch.where(higher_N, best.values, self._best_N)
        kept = scores_NB.topk(min(self.top, scores_NB.shape[1]), dim=1)
        values = torch.cat([self._values_NM, kept.values], dim=1)
        classes = torch.cat([self._classes_NM, kept.indices + first], dim=1)
        self._values_NM, places = values.topk(min(self.top, values.shape[1]), dim=1)
        self._classes_NM = classes.gather(1, places)
        if raw_NB is not None:
            before = values.new_empty(self.n, 0) if self._raw_NM is None else self._raw_NM
            self._raw_NM = torch.cat([before, raw_NB.gather(1, kept.indices)], dim=1).gather(1, places)

    def nonzero(self) -> torch.Tensor:
        """Which rows have any positive score (N,), bool."""
        return self._best_N > 0

    def certainty(self) -> torch.Tensor:
        """1 - H / log C over all classes (N,); 1 where C = 1."""
        if self.n_classes == 1:
            return torch.ones_like(self._best_N)
        sum_N = self._sum_N.masked_fill(self._sum_N == 0, 1)
        entropy_N = sum_N.log() - self._z_log_z_N / sum_N
        return (1 - entropy_N / math.log(self.n_classes)).clamp(0, 1).to(self._best_N.dtype)

    def share(self) -> torch.Tensor:
        """The share of the best class in the sum over all classes (N,); 1 / C where all are 0."""
        sum_N = self._sum_N.masked_fill(self._sum_N == 0, 1)
        share_N = (self._best_N / sum_N).to(self._best_N.dtype)
        return share_N.masked_fill(self._best_N == 0, 1 / self.n_classes)

    def sparse(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and distributions (N, C) as torch sparse CSR tensors that hold each row's best classes."""
        classes_NM, places_NM = self._classes_NM.sort(dim=1)
        values_NM = self._values_NM.gather(1, places_NM)
        scores_NM = values_NM if self._raw_NM is None else self._raw_NM.gather(1, places_NM)
        size = (self.n, self.n_classes)
        return _csr(classes_NM, scores_NM, size), _csr(classes_NM, normalize_rows(values_NM), size)


class AllRows:
    """Takes scores and distributions some rows at a time and keeps all classes; see `TopRows`."""

    def __init__(self, n: int, n_classes: int, dtype: torch.dtype, device: torch.device) -> None:
        self._scores_NC = torch.zeros(n, n_classes, dtype=dtype, device=device)
        self._shares_NC = torch.full_like(self._scores_NC, 1 / n_classes)

    def put(self, rows: torch.Tensor | slice, scores_BC: torch.Tensor, distributions_BC: torch.Tensor) -> None:
        """All classes of these rows."""
        self._scores_NC[rows], self._shares_NC[rows] = scores_BC, distributions_BC

    def result(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and distributions (N, C)."""
        return self._scores_NC, self._shares_NC


class TopRows:
    """Takes scores and distributions some rows at a time and keeps each row's `top` best classes.

    Rows that are never put have scores 0 and equal shares.
    """

    def __init__(self, n: int, n_classes: int, top: int, dtype: torch.dtype, device: torch.device) -> None:
        top = min(top, n_classes)
        self._size = (n, n_classes)
        self._classes_NM = torch.arange(top, device=device).repeat(n, 1)
        self._scores_NM = torch.zeros(n, top, dtype=dtype, device=device)
        self._shares_NM = torch.full_like(self._scores_NM, 1 / top)

    def put(self, rows: torch.Tensor | slice, scores_BC: torch.Tensor, distributions_BC: torch.Tensor) -> None:
        """All classes of these rows."""
        classes_BM = distributions_BC.topk(self._classes_NM.shape[1], dim=1).indices.sort(dim=1).values
        self._classes_NM[rows] = classes_BM
        self._scores_NM[rows] = scores_BC.gather(1, classes_BM)
        self._shares_NM[rows] = normalize_rows(distributions_BC.gather(1, classes_BM))

    def result(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and distributions (N, C) as torch sparse CSR tensors; rows of the latter sum to 1."""
        parts = (self._scores_NM, self._shares_NM)
        scores, shares = (_csr(self._classes_NM, values_NM, self._size) for values_NM in parts)
        return scores, shares


def dense_rows(kept_NC: torch.Tensor, places_B: torch.Tensor) -> torch.Tensor:
    """Some rows (B, C) of a torch sparse CSR tensor, dense: torch has no such selection for CSR."""
    starts_B = kept_NC.crow_indices()[places_B]
    counts_B = kept_NC.crow_indices()[places_B + 1] - starts_B
    row_E = torch.repeat_interleave(torch.arange(len(places_B), device=places_B.device), counts_B)
    within_E = torch.arange(len(row_E), device=row_E.device) - (counts_B.cumsum(0) - counts_B)[row_E]
    from_E = starts_B[row_E] + within_E
    dense_BC = kept_NC.values().new_zeros(len(places_B), kept_NC.shape[1])
    dense_BC[row_E, kept_NC.col_indices()[from_E]] = kept_NC.values()[from_E]
    return dense_BC


def sparse_rows(
    classes_NM: torch.Tensor, values_NM: torch.Tensor, kept_NM: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """Some of these values, at these ascending classes, as torch sparse CSR."""
    crow = torch.zeros(len(classes_NM) + 1, dtype=torch.int64, device=classes_NM.device)
    crow[1:] = kept_NM.sum(dim=1).cumsum(0)
    return _compressed(crow, classes_NM[kept_NM], values_NM[kept_NM], size)


def _csr(classes_NM: torch.Tensor, values_NM: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    n, top = classes_NM.shape
    crow = torch.arange(n + 1, device=values_NM.device) * top
    return _compressed(crow, classes_NM.reshape(-1), values_NM.reshape(-1), size)


def _compressed(crow: torch.Tensor, col: torch.Tensor, values: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    with warnings.catch_warnings():  # torch calls its CSR layout beta once a process
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(crow, col, values, tuple(size), check_invariants=False)
