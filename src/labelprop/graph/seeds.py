"""Seeds: the labels a propagation starts from, the reading of y, and folds that hide some of them.

Unlabeled is -1 in numbers (floats too), "" in text arrays, None in object arrays (where "" and NaN count as
well); a two-dimensional floating y gives a distribution a row, and zero or NaN rows are unlabeled. The same
marker comes back in results.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.core.types import UNLABELED

MARKERS: dict[str, Any] = {"U": "", "S": b"", "O": None}  # of unlabeled rows, by kind of array; -1 in the others


@dataclass(frozen=True, slots=True, eq=False)
class Seeds:
    """The right-hand side Y of a propagation: row i is weight_i times its one-hot or soft label, 0 where unlabeled.

    A seed of weight 0 is an unlabeled row. Build with `hard` or `soft`.
    """

    labels_N: torch.Tensor  # int64; a soft seed's is its argmax; -1 where unlabeled
    weights_N: torch.Tensor  # float64; 0 where unlabeled
    n_classes: int
    soft_NC: torch.Tensor | None = None  # float64, 0 in unlabeled rows; None for one-hot seeds

    @classmethod
    def hard(cls, labels_N: torch.Tensor, n_classes: int, weights_N: torch.Tensor | None = None) -> Seeds:
        """One-hot seeds from class numbers, -1 where unlabeled."""
        weights_N = _weights_like(labels_N, weights_N)
        labels_N = labels_N.long().masked_fill(weights_N <= 0, UNLABELED)
        return cls(labels_N, weights_N.masked_fill(labels_N < 0, 0), n_classes)

    @classmethod
    def soft(cls, soft_NC: torch.Tensor, weights_N: torch.Tensor | None = None) -> Seeds:
        """Soft seeds; the label of a row is its largest entry (ties: the lowest class)."""
        soft_NC = soft_NC.double()
        weights_N = _weights_like(soft_NC, weights_N)
        seeded_N = (soft_NC > 0).any(dim=1) & (weights_N > 0)
        labels_N = soft_NC.argmax(dim=1).masked_fill(~seeded_N, UNLABELED)
        soft_NC = soft_NC.masked_fill(~seeded_N[:, None], 0)
        return cls(labels_N, weights_N.masked_fill(~seeded_N, 0), soft_NC.shape[1], soft_NC)

    @property
    def n(self) -> int:
        return int(self.labels_N.shape[0])

    @property
    def mask_N(self) -> torch.Tensor:
        return self.labels_N >= 0

    def totals_C(self) -> torch.Tensor:
        """|L_j|, the sum of weights of each class, float64."""
        if self.soft_NC is not None:
            return (self.soft_NC * self.weights_N[:, None]).sum(dim=0)
        seeded_N = self.mask_N
        totals_C = self.weights_N.new_zeros(self.n_classes)
        return totals_C.index_add_(0, self.labels_N[seeded_N], self.weights_N[seeded_N])  # bincount may not repeat

    def columns(self, classes_B: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        """These columns of Y, (N, B)."""
        chosen_B = torch.as_tensor(list(classes_B), device=self.labels_N.device)
        if self.soft_NC is not None:
            return (self.soft_NC[:, chosen_B] * self.weights_N[:, None]).to(dtype)
        place_C = torch.full((self.n_classes,), UNLABELED, device=self.labels_N.device)
        place_C[chosen_B] = torch.arange(len(chosen_B), device=place_C.device)
        seeded_L = self.mask_N.nonzero().squeeze(1)
        seeded_L = seeded_L[place_C[self.labels_N[seeded_L]] >= 0]
        y_NB = torch.zeros(self.n, len(chosen_B), dtype=dtype, device=self.labels_N.device)
        y_NB[seeded_L, place_C[self.labels_N[seeded_L]]] = self.weights_N[seeded_L].to(dtype)
        return y_NB

    def to(self, device: torch.device | str) -> Seeds:
        """The same seeds on a device."""
        soft_NC = None if self.soft_NC is None else self.soft_NC.to(device)
        return Seeds(self.labels_N.to(device), self.weights_N.to(device), self.n_classes, soft_NC)


def _weights_like(rows: torch.Tensor, weights_N: torch.Tensor | None) -> torch.Tensor:
    """The weights, else 1 for each row; float64 on the device of the rows."""
    weights_N = torch.ones(len(rows)) if weights_N is None else weights_N
    return weights_N.to(rows.device, torch.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """A y as it was read: classes, class number of each row (or soft rows), and the marker to give back."""

    classes: np.ndarray  # (C,) sorted
    codes_N: np.ndarray  # int64; -1 where unlabeled
    soft_NC: np.ndarray | None
    marker: Any

    def seeds(self, weights_N: np.ndarray | None = None) -> Seeds:
        """Seeds with these weights. Raises RequestError where no seed has a positive one."""
        weights = None if weights_N is None else torch.from_numpy(weights_N)
        if self.soft_NC is None:
            found = Seeds.hard(torch.from_numpy(self.codes_N), len(self.classes), weights)
        else:
            found = Seeds.soft(torch.from_numpy(self.soft_NC), weights)
        if not bool(found.mask_N.any()):
            raise RequestError(
                "sample_weight is zero on every labeled row, so no seed is left; give at least one a positive weight."
            )
        return found

    def decode(self, codes_N: np.ndarray) -> np.ndarray:
        """Class labels of class numbers, the marker where the number is -1."""
        names = np.append(self.classes, np.array([self.marker], dtype=self.classes.dtype))
        return np.asarray(names[codes_N])  # -1 takes the last


def read_targets(y: Any) -> Targets:
    """Reads y, one-dimensional (labels) or two-dimensional and floating with at least 2 columns (soft seeds).

    Raises DataError naming the row for labels that cannot be meant, and where no row is labeled.
    """
    array = as_array(y)
    if array.ndim == 2 and array.dtype.kind == "f" and array.shape[1] >= 2:
        return _soft(array)
    if array.ndim != 1:
        raise DataError(
            f"y must hold one label a row, or soft labels as floats (n, C >= 2); got shape {array.shape}."
        )
    unlabeled_N, marker = unlabeled(array), MARKERS.get(array.dtype.kind, UNLABELED)
    if bool(unlabeled_N.all()):
        raise DataError(
            f"y holds no labels at all ({len(array)} rows, all unlabeled). Label at least one row; "
            f"{marker!r} marks unlabeled ones. y should be a 1d array of labels."
        )
    if array.dtype.kind in "bu":  # neither can hold -1
        array = array.astype(np.int64)
    _refuse_strange(array)
    try:
        classes, codes_L = np.unique(array[~unlabeled_N], return_inverse=True)
    except TypeError as error:
        raise DataError(f"y mixes labels that cannot be sorted ({error}); use one type for all.") from error
    codes_N = np.full(len(array), UNLABELED, dtype=np.int64)
    codes_N[~unlabeled_N] = codes_L
    if array.dtype.kind in "UO" and "-1" in classes.tolist():
        warnings.warn(
            f"y holds the text '-1', which is a class like any other; {marker!r} marks "
            "unlabeled rows of such an array.",
            UserWarning,
            stacklevel=2,
        )
    return Targets(classes, codes_N, None, marker)


def as_array(y: Any) -> np.ndarray:
    """y as a NumPy array, tensors of any device included."""
    array = np.asarray(y.detach().cpu() if isinstance(y, torch.Tensor) else y)
    return array.astype(np.str_) if array.dtype.kind == "T" else array


def unlabeled(y: np.ndarray) -> np.ndarray:
    """Which rows of y carry the marker, bool (N,)."""
    if y.ndim == 2:
        return np.asarray(~(np.nan_to_num(y) > 0).any(axis=1))
    if y.dtype.kind == "O":
        marks = (value is None or (isinstance(value, str) and value == "") or _is_nan(value) for value in y)
        return np.fromiter(marks, dtype=bool, count=len(y))
    if y.dtype.kind in "US":
        return np.asarray(np.char.str_len(y) == 0)
    return np.asarray(y == UNLABELED) if y.dtype.kind in "if" else np.zeros(len(y), dtype=bool)


def _soft(array: np.ndarray) -> Targets:
    empty_N = np.isnan(array).all(axis=1)
    soft_NC = np.where(empty_N[:, None], 0, array).astype(np.float64)
    wrong = _first(np.any(~((soft_NC >= 0) & np.isfinite(soft_NC)), axis=1))
    if wrong is not None:
        raise DataError(
            f"row {wrong} of the soft labels holds a negative, infinite or partly missing value; "
            f"use shares >= 0, or a row of zeros or NaN where unlabeled."
        )
    if not soft_NC.any():
        raise DataError(f"y holds no labels at all ({len(array)} rows of zeros or NaN). Label at least one row.")
    labels_N = np.where(soft_NC.any(axis=1), soft_NC.argmax(axis=1), UNLABELED)
    return Targets(np.arange(array.shape[1]), labels_N, soft_NC, UNLABELED)


def _refuse_strange(array: np.ndarray) -> None:
    """Numbers that are no class labels: NaN, infinity, fractions, negative ones other than the marker."""
    kind = array.dtype.kind
    if kind == "f":
        row = _first(~np.isfinite(array))
        if row is not None:
            found = "NaN" if np.isnan(array[row]) else "infinity"
            raise DataError(f"row {row} of y: input y contains {found}; -1 marks unlabeled rows.")
        row = _first(array != np.floor(array))
        if row is not None:
            raise DataError(  # scikit-learn's checks look for its words
                f"Unknown label type: continuous. Row {row} of y is {array[row]}; labels are whole numbers or text, "
                f"or soft labels as floats (n, C >= 2)."
            )
    if kind == "O":
        negative_N = np.array([isinstance(value, int | float) and value < 0 for value in array], dtype=bool)
    else:
        negative_N = array < UNLABELED if kind in "if" else np.zeros(len(array), dtype=bool)
    row = _first(negative_N)
    if row is not None:
        meant = "None marks unlabeled rows in object arrays" if kind == "O" else "only -1 marks unlabeled"
        raise DataError(f"row {row} of y is {array[row]}; labels are not negative, {meant}.")


def _first(wrong_N: Any) -> int | None:
    """The first row that is wrong, if any."""
    return int(wrong_N.argmax()) if wrong_N.any() else None


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


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
        seeds_L = np.flatnonzero(codes_N >= 0)
        if not 2 <= self.n_splits <= len(seeds_L):
            raise RequestError(
                f"n_splits={self.n_splits} must be at least 2 and at most the number of seeds ({len(seeds_L)})."
            )
        if self.random_state is not None:
            seeds_L = np.random.default_rng(self.random_state).permutation(seeds_L)
        seeds_L = seeds_L[np.argsort(codes_N[seeds_L], kind="stable")]
        folds_N = np.full(len(codes_N), -1)
        folds_N[seeds_L] = np.arange(len(seeds_L)) % self.n_splits
        for fold in range(self.n_splits):
            yield np.flatnonzero(folds_N != fold), np.flatnonzero(folds_N == fold)
