"""Folds over given labels: each hides some of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.text import counted, short_repr
from labelprop.data.labels.targets import read_targets


@dataclass(eq=False)
class SeedKFold:
    """Folds for cross-validation with few labels: each hides some seeds; unlabeled rows are always in training.

    `split` yields (train, test): test = the hidden seeds, train = all unlabeled rows and the other seeds. Every class
    is dealt out over the folds as evenly as it goes. Works as `cv` of GridSearchCV.

    Parameters
    ----------
    n_splits : number of folds, at least 2 and at most the number of seeds.
    random_state : None deals the seeds in their order; a number shuffles them first.
    """

    n_splits: int = 5
    random_state: int | None = field(default=None, kw_only=True)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """The number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Row numbers (train, test) of each fold. Raises RequestError where there are fewer seeds than folds."""
        codes_N = read_targets(y).codes_N
        n = _count(X)
        if n is not None and n != len(codes_N):
            raise RequestError(
                f"X has {counted(n, 'row')} and y {len(codes_N):,}: give a label, or -1, for each row."
            )
        if isinstance(self.n_splits, bool | np.bool_) or not isinstance(self.n_splits, Integral):
            raise RequestError(f"n_splits={short_repr(self.n_splits)} must be a whole number.")
        seeds_L = np.flatnonzero(codes_N >= 0)
        if not 2 <= self.n_splits <= len(seeds_L):
            raise RequestError(
                f"n_splits={self.n_splits} must be at least 2 and at most the number of seeds ({len(seeds_L)})."
            )
        if self.random_state is not None:
            seeds_L = _generator(self.random_state).permutation(seeds_L)
        seeds_L = seeds_L[np.argsort(codes_N[seeds_L], kind="stable")]
        folds_N = np.full(len(codes_N), -1)
        folds_N[seeds_L] = np.arange(len(seeds_L)) % self.n_splits
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds_N != fold), np.flatnonzero(folds_N == fold)


def _count(X: Any) -> int | None:
    """The number of rows; None where that cannot be told."""
    shape = getattr(X, "shape", None)
    if shape:
        return int(shape[0])
    return len(X) if hasattr(X, "__len__") else None


def _generator(random_state: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError):
        raise RequestError(f"random_state={short_repr(random_state)} must be None or a whole number >= 0.") from None
