"""Edges: what was measured between rows and their neighbors, before a kernel makes weights of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse

from labelprop.core.errors import DataError

FARTHEST = 2.001  # between unit vectors, and rounding

Measure = Literal["cosine", "squared_distance", "weight"]


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Values (m, n) between m rows and n fitted ones, in CSR. A stored zero is a value like any other.

    `measure` says what the values are: cosines, squared distances, or weights a user gave (`metric="precomputed"`).
    """

    values: sparse.csr_array
    measure: Measure

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.values.shape[0]), int(self.values.shape[1])

    def cosines(self) -> sparse.csr_array:
        """Cosines; squared distances d^2 between unit vectors are 1 - d^2 / 2, given weights count as cosines.

        Raises DataError for a distance that unit vectors cannot have.
        """
        if self.measure != "squared_distance":
            return self.values
        far = first_row(self.values, self.values.data > FARTHEST**2)
        if far is not None:
            row, squared = far
            raise DataError(
                f"row {row} of the precomputed distances holds {squared**0.5:.4g}, but this method "
                "reads cosines off distances between vectors of unit length, which are at most 2. Scale the vectors "
                "to unit length before measuring, or use LabelSpreading, LabelPropagation or Poisson, which take any."
            )
        return self._with(1 - self.values.data / 2)

    def squared_distances(self) -> sparse.csr_array:
        """Squared distances; cosines s of unit vectors are 2 - 2 s. Given weights have none (ValueError)."""
        if self.measure == "weight":
            raise ValueError("given weights are not distances")
        if self.measure == "squared_distance":
            return self.values
        return self._with(np.maximum(2 - 2 * self.values.data, 0))

    def _with(self, data: np.ndarray) -> sparse.csr_array:
        return sparse.csr_array((data, self.values.indices, self.values.indptr), shape=self.shape)


def first_row(matrix: sparse.csr_array, wrong_E: np.ndarray) -> tuple[int, Any] | None:
    """Row and value of the first of the stored entries that are wrong; None where none is."""
    if not wrong_E.any():
        return None
    place = int(wrong_E.argmax())
    return int(np.searchsorted(matrix.indptr, place, side="right")) - 1, matrix.data[place]
