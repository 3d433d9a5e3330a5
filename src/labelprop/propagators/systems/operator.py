"""A matrix of weights as linear systems use it: products and row sums, wherever its entries are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from labelprop.functional.steps import Matmul, Preconditioner
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

    shifted: Callable[[torch.dtype, float, float], Matmul]  # x -> factor S x + diagonal x in this type
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

        def shifted(dtype: torch.dtype, factor: float, diagonal: float) -> Matmul:
            scale = scale_N1.to(dtype)

            def product(x_RB: torch.Tensor) -> torch.Tensor:
                x_NB = x_RB.new_zeros(len(scale), x_RB.shape[1])
                x_NB[rows_R] = x_RB
                return (scale * matmul(scale * x_NB)).mul_(factor)[rows_R].add_(x_RB, alpha=diagonal)

            return product

        return cls(shifted, degree_N[rows_R], rows_R)

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

        def shifted(dtype: torch.dtype, factor: float, diagonal: float) -> Matmul:
            if part.n_edges > part.n * part.n * DENSE_SHARE:
                weights = part.astype(dtype).scaled(factor).to_dense()
                return lambda x_RB: (weights @ x_RB).add_(x_RB, alpha=diagonal)
            if coarse is None:
                return _Shifted(part.astype(dtype).scaled(factor), 1.0, diagonal)
            return _Shifted(part.astype(dtype), factor, diagonal)  # without another copy of the weights

        return cls(shifted, degree_R, rows_R, coarse)

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


class _Shifted:
    """x -> factor W x + diagonal x, of all rows or some."""

    def __init__(self, graph: AffinityGraph, factor: float, diagonal: float) -> None:
        self._graph, self._factor, self._diagonal = graph, factor, diagonal

    def __call__(self, x_RB: torch.Tensor) -> torch.Tensor:
        return self.rows(x_RB, slice(None), torch.empty_like(x_RB))

    def rows(self, x_RB: torch.Tensor, rows: slice, out: torch.Tensor) -> torch.Tensor:
        """In these rows, into `out`."""
        part_RB = self._graph.rows(rows).matmul(x_RB)
        if self._diagonal == 1:
            return torch.add(x_RB[rows], part_RB, alpha=self._factor, out=out)
        return torch.add(part_RB.mul_(self._factor), x_RB[rows], alpha=self._diagonal, out=out)
