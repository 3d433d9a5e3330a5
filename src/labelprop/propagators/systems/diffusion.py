"""The linear system of diffusion, (I - alpha S) Z = Y: prepared once, solved a block of classes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labelprop.core.progress import advance
from labelprop.functional.solve import ColumnSolve, Matmul, cg_refined
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds

RENUMBER_FROM = 10_000  # rows; below, a block of columns stays in the cache anyway
DENSE_DEGREE = 1000  # neighbors on average, beyond which no order of the rows helps
DENSE_SHARE = 0.1  # of all pairs; sparse products are that much slower an edge
CPU_COLUMNS = 64  # at least, and in multiples: products with 41 columns took as long as with 64
BLOCK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 28}  # numbers in one of the solver's blocks


@dataclass(frozen=True, slots=True, eq=False)
class DiffusionSystem:
    """S = D^-1/2 W D^-1/2 of a symmetric graph W, its rows renumbered where that makes products faster."""

    normalized: AffinityGraph
    order_N: torch.Tensor | None  # old number of each row of `normalized`; None where as in W

    @classmethod
    def of(cls, graph: AffinityGraph) -> DiffusionSystem:
        """Prepares the system of a graph."""
        if not worth_renumbering(graph):
            return cls(graph.normalized(), None)
        moved, order_N = graph.renumbered()
        return cls(moved.normalized(), order_N)

    def solve(self, seeds: Seeds, classes: Sequence[int], *, alpha: float, max_iter: int, tol: float) -> ColumnSolve:
        """Z for these classes, (N, len(classes)).

        Y is taken as it is: CG from zero is linear in the scale of a column, so balancing is a division afterwards.
        """
        matrix = self.normalized.weights_E

        def operator(dtype: torch.dtype) -> Matmul:
            product = times(self.normalized.astype(dtype).scaled(-alpha))
            return lambda x_NB: product(x_NB).add_(x_NB)

        solved = ColumnSolve.empty(self.normalized.n, len(classes), matrix.dtype, matrix.device)
        for start, stop in self.class_blocks(len(classes)):
            advance("solve", start, len(classes))
            y_NB = seeds.columns(classes[start:stop], matrix.dtype)
            y_NB = y_NB if self.order_N is None else y_NB[self.order_N]
            with torch.autocast(matrix.device.type, enabled=False):  # callers may train in bfloat16
                part = cg_refined(operator, y_NB, tol=tol, max_iter=max_iter)
            rows = slice(None) if self.order_N is None else self.order_N
            solved.solution_NC[rows, start:stop] = part.solution_NC
            solved.steps_C[start:stop], solved.residual_C[start:stop] = part.steps_C, part.residual_C
        return solved

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        """(start, stop) of classes to solve together."""
        return class_blocks(self.normalized, n_classes)


def worth_renumbering(graph: AffinityGraph) -> bool:
    """Whether an order of the rows makes products faster: on a CPU, where rows have few neighbors."""
    return graph.n >= RENUMBER_FROM and graph.device.type == "cpu" and graph.n_edges <= graph.n * DENSE_DEGREE


def times(graph: AffinityGraph) -> Matmul:
    """The product with the weights, dense where rows are linked to a good part of all rows."""
    if graph.n_edges <= graph.shape[0] * graph.shape[1] * DENSE_SHARE:
        return graph.matmul
    weights = graph.to_dense()
    return lambda x_MC: weights @ x_MC


def class_blocks(graph: AffinityGraph, n_classes: int) -> list[tuple[int, int]]:
    """(start, stop) of classes to solve together: the solver's memory is bounded, and in reach of the cache."""
    kind = graph.device.type
    room = BLOCK_ELEMENTS[kind] // max(1, graph.n)
    width = max(CPU_COLUMNS, room - room % CPU_COLUMNS) if kind == "cpu" else max(1, room)
    return [(start, min(start + width, n_classes)) for start in range(0, n_classes, width)]
