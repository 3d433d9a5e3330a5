"""Graphs whose weights span many powers of ten are solved by elimination; others by conjugate gradient.

Elimination takes the entries, so it takes a graph and no other `Operator`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from labelprop.functional.elimination import eliminate
from labelprop.functional.solve import ColumnSolve
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds

SPAN = 1e-4  # smallest to largest weight; in the graph of self-tuned weights it is 1 / e
FEW_ROWS = 2_000  # elimination takes half a second
MAX_ROWS = 20_000  # two minutes, and 3 GiB
DENSE = 0.02  # share of all pairs that are edges: many steps of conjugate gradient would take as long


def suits(graph: AffinityGraph) -> bool:
    """Whether to eliminate: light edges decide some rows, and there are few rows, or edges between many of them.

    Conjugate gradient stops at a residual over all rows, in which rows with light edges do not show: on 600 digits
    under an rbf kernel of gamma = 20 it leaves 8% of the labels wrong.
    """
    few = graph.n <= FEW_ROWS or (graph.n <= MAX_ROWS and graph.n_edges > DENSE * graph.n * graph.n)
    return bool(few and graph.n_edges and graph.weights_E.min() < SPAN * graph.weights_E.max())


@dataclass(frozen=True, slots=True, eq=False)
class SpreadingElimination:
    """(I - alpha D^-1/2 W D^-1/2) Z = Y by elimination; in place of `DiffusionSystem` where `suits` holds."""

    graph: AffinityGraph

    def solve(self, seeds: Seeds, classes: Sequence[int], *, alpha: float, max_iter: int, tol: float) -> ColumnSolve:
        """Z for these classes, (N, len(classes)); `max_iter` and `tol` are met by not iterating.

        Z = D^1/2 x, where (D - alpha W) x = D^1/2 Y has rows that lead on with alpha w_ij and leak (1 - alpha) d_i.
        """
        solved = ColumnSolve.empty(self.graph.n, len(classes), self.graph.weights_E.dtype, self.graph.device)
        if not len(classes):
            return solved
        weights_NN = self.graph.to_dense().double()
        degree_N = weights_NN.sum(dim=1)
        root_N1 = degree_N.masked_fill(degree_N <= 0, 1).sqrt()[:, None]
        leak_N = torch.where(degree_N > 0, (1 - alpha) * degree_N, 1)
        y_NB = seeds.columns(classes, torch.float64)
        solved.solution_NC[:] = root_N1 * eliminate(weights_NN.mul_(alpha), leak_N, root_N1 * y_NB)
        return solved

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        """(start, stop) of classes to solve together: all, since elimination takes as long for one."""
        return [(0, n_classes)]
