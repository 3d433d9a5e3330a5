"""The linear system of diffusion, (I - alpha S) Z = Y: prepared once, solved a block of classes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labelprop.core.progress import advance
from labelprop.functional.solve import ColumnSolve, cg_refined
from labelprop.functional.steps import Matmul
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.systems.operator import Normalized, Operator, Precondition


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionSystem:
    """(I - alpha S) Z = Y with S = D^-1/2 W D^-1/2 of symmetric weights W."""

    normalized: Normalized

    @classmethod
    def of(
        cls, weights: AffinityGraph | Operator, preconditioner: Precondition = None, n_columns: int = 1
    ) -> DiffusionSystem:
        return cls(Normalized.of(weights, preconditioner=preconditioner, n_columns=n_columns))

    def solve(self, seeds: Seeds, classes: Sequence[int], *, alpha: float, max_iter: int, tol: float) -> ColumnSolve:
        """Z for these classes, (N, len(classes)).

        Y is taken as it is: CG from zero is linear in the scale of a column, so balancing is a division afterwards.
        """
        rows, degree_N = self.normalized.rows_R, self.normalized.degree_R

        def operator(dtype: torch.dtype) -> Matmul:
            return self.normalized.shifted(dtype, -alpha, 1)

        precondition = self.normalized.precondition(alpha)
        solved = ColumnSolve.empty(self.normalized.n, len(classes), degree_N.dtype, degree_N.device)
        for start, stop in self.class_blocks(len(classes)):
            advance("solve", start, len(classes))
            # Sparse, since few entries of Y are not 0: it would be one of five arrays of this size.
            y_NB = seeds.sparse_columns(classes[start:stop], degree_N.dtype, rows)
            with torch.autocast(degree_N.device.type, enabled=False):  # callers may train in bfloat16
                part = cg_refined(operator, y_NB, tol=tol, max_iter=max_iter, precondition=precondition)
            solved.put(rows, start, part)
        return solved

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        return self.normalized.class_blocks(n_classes)
