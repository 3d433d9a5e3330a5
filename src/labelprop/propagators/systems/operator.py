"""A matrix of weights as linear systems use it: products and row sums, wherever its entries are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from labelprop.functional.solve import Matmul, Preconditioner
from labelprop.graph.affinity import AffinityGraph, inverse_root
from labelprop.propagators.systems.coarse import CoarseSpace

CELLS_FROM = 5_000  # rows; below, setting up takes longer than the steps that are saved
RENUMBER_FROM = 10_000  # rows; below, a block of columns stays in the cache anyway
DENSE_DEGREE = 1000  # neighbors on average, beyond which no order of the rows helps
DENSE_SHARE = 0.1  # of all pairs; sparse products are that much slower an edge
CPU_COLUMNS = 64  # at least, and in multiples: products with 41 columns took as long as with 64
BLOCK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 28}  # numbers in one of the solver's blocks


Precondition = Literal["auto", "cells"] | None


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """A symmetric matrix of weights W (N, N) that is known by its products.

    Systems take it in place of an `AffinityGraph`: rows on several machines or devices supply another `matmul`.
    """

    matmul: Matmul  # x -> W x, (N, B) -> (N, B) for any B, in the type of x
    degree_N: torch.Tensor  # row sums; solutions have their type and device

    @classmethod
    def of(cls, graph: AffinityGraph) -> Operator:
        """A graph as an operator."""
        return cls(lambda x_NB: graph.astype(x_NB.dtype).matmul(x_NB), graph.degree())


@dataclass(frozen=True, slots=True, eq=False)
class Normalized:
    """S = D^-1/2 W D^-1/2 in some rows R and the same columns of a symmetric W; D counts all columns."""

    times: Callable[[torch.dtype, float], Matmul]  # x -> factor S x in this type, to be applied many times
    degree_R: torch.Tensor
    rows_R: torch.Tensor  # their numbers in W, as ordered here: where a graph's products are fastest
    coarse: CoarseSpace | None = None  # for a preconditioner

    @classmethod
    def of(
        cls,
        weights: AffinityGraph | Operator,
        keep_N: torch.Tensor | None = None,
        preconditioner: Precondition = None,
        n_columns: int = 1,
    ) -> Normalized:
        """In the rows `keep_N` (N,) bool; None for all.

        With "cells" there is a coarse space, with "auto" where it pays, made for so many right sides; an operator,
        whose entries are not known, has none.
        """
        degree_N = weights.degree() if isinstance(weights, AffinityGraph) else weights.degree_N
        keep_N = torch.ones_like(degree_N, dtype=torch.bool) if keep_N is None else keep_N
        rows_R = keep_N.nonzero().squeeze(1)
        if isinstance(weights, AffinityGraph):
            return cls._of_graph(weights, degree_N, rows_R, preconditioner, n_columns)
        matmul = weights.matmul
        scale_N1 = inverse_root(degree_N)[:, None]

        def times(dtype: torch.dtype, factor: float) -> Matmul:
            scale = scale_N1.to(dtype)

            def product(x_RB: torch.Tensor) -> torch.Tensor:
                x_NB = x_RB.new_zeros(len(scale), x_RB.shape[1])
                x_NB[rows_R] = x_RB
                return (scale * matmul(scale * x_NB)).mul_(factor)[rows_R]

            return product

        return cls(times, degree_N[rows_R], rows_R)

    @classmethod
    def _of_graph(
        cls,
        graph: AffinityGraph,
        degree_N: torch.Tensor,
        rows_R: torch.Tensor,
        preconditioner: Precondition,
        n_columns: int,
    ) -> Normalized:
        part = graph.normalized()
        if len(rows_R) < graph.n:
            rows = rows_R.cpu().numpy()
            part = AffinityGraph.from_scipy(part.to_scipy()[rows][:, rows], graph.device)
        sparse = part.n_edges <= part.n * DENSE_DEGREE
        cells = preconditioner == "cells" or (preconditioner == "auto" and part.n >= CELLS_FROM and sparse)
        degree_R = degree_N[rows_R]
        coarse = CoarseSpace.of(part, degree_R, n_columns) if cells and part.n_edges else None
        # An order of the rows makes products faster on a CPU, where rows have few neighbors.
        if part.n >= RENUMBER_FROM and part.device.type == "cpu" and sparse:
            part, order_R = part.renumbered(None if coarse is None else coarse.order())
            rows_R, degree_R = rows_R[order_R], degree_R[order_R]
            coarse = None if coarse is None else coarse.take(order_R)
        return cls(lambda dtype, factor: _times(part.astype(dtype).scaled(factor)), degree_R, rows_R, coarse)

    @property
    def n(self) -> int:
        return len(self.degree_R)

    def precondition(
        self, factor: float, diagonal: float = 1.0, component_R: torch.Tensor | None = None
    ) -> Callable[[torch.dtype], Preconditioner | None]:
        """That of diagonal I - factor S by type, see `CoarseSpace.deflation`; of None without a coarse space."""
        coarse = self.coarse
        return lambda dtype: None if coarse is None else coarse.deflation(dtype, factor, diagonal, component_R)

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        """(start, stop) of classes to solve together: the solver's memory is bounded, and in reach of the cache."""
        kind = self.degree_R.device.type
        room = BLOCK_ELEMENTS[kind] // max(1, self.n)
        width = max(CPU_COLUMNS, room - room % CPU_COLUMNS) if kind == "cpu" else max(1, room)
        return [(start, min(start + width, n_classes)) for start in range(0, n_classes, width)]


def _times(graph: AffinityGraph) -> Matmul:
    """The product with the weights, dense where rows are linked to a good part of all rows."""
    if graph.n_edges <= graph.shape[0] * graph.shape[1] * DENSE_SHARE:
        return graph.matmul
    weights = graph.to_dense()
    return lambda x_MC: weights @ x_MC
