"""Seeds: the labels that a propagation starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labelprop.core.types import UNLABELED


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
        rows_E, places_E, values_E = self._entries(classes_B)
        y_NB = torch.zeros(self.n, len(classes_B), dtype=dtype, device=self.labels_N.device)
        y_NB[rows_E, places_E] = values_E.to(dtype)
        return y_NB

    def sparse_columns(self, classes_B: Sequence[int], dtype: torch.dtype, rows_N: torch.Tensor) -> torch.Tensor:
        """These columns of Y with its rows in this order, (N, B), as a torch sparse COO tensor."""
        rows_E, places_E, values_E = self._entries(classes_B)
        place_N = torch.empty_like(rows_N).index_copy_(0, rows_N, torch.arange(self.n, device=rows_N.device))
        where_2E = torch.stack([place_N[rows_E], places_E])
        y_NB = torch.sparse_coo_tensor(where_2E, values_E.to(dtype), (self.n, len(classes_B)), check_invariants=False)
        return y_NB.coalesce()

    def _entries(self, classes_B: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Rows, places among these classes and values of what is not 0 in these columns of Y, (E,)."""
        chosen_B = torch.as_tensor(list(classes_B), device=self.labels_N.device)
        if self.soft_NC is not None:
            soft_NB = self.soft_NC[:, chosen_B]
            rows_E, places_E = soft_NB.nonzero(as_tuple=True)
            return rows_E, places_E, soft_NB[rows_E, places_E] * self.weights_N[rows_E]
        place_C = torch.full((self.n_classes,), UNLABELED, device=self.labels_N.device)
        place_C[chosen_B] = torch.arange(len(chosen_B), device=place_C.device)
        seeded_L = self.mask_N.nonzero().squeeze(1)
        seeded_L = seeded_L[place_C[self.labels_N[seeded_L]] >= 0]
        return seeded_L, place_C[self.labels_N[seeded_L]], self.weights_N[seeded_L]

    def take(self, places_M: torch.Tensor) -> Seeds:
        """Those of some of the rows."""
        places_M = places_M.to(self.labels_N.device)
        soft_NC = None if self.soft_NC is None else self.soft_NC[places_M]
        return Seeds(self.labels_N[places_M], self.weights_N[places_M], self.n_classes, soft_NC)

    def to(self, device: torch.device | str) -> Seeds:
        """The same seeds on a device."""
        soft_NC = None if self.soft_NC is None else self.soft_NC.to(device)
        return Seeds(self.labels_N.to(device), self.weights_N.to(device), self.n_classes, soft_NC)


def _weights_like(rows: torch.Tensor, weights_N: torch.Tensor | None) -> torch.Tensor:
    """The weights, else 1 for each row; float64 on the device of the rows."""
    weights_N = torch.ones(len(rows)) if weights_N is None else weights_N
    return weights_N.to(rows.device, torch.float64)
