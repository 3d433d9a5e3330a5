"""Steps of conjugate gradient: the columns of a solve that still run, worked through by rows that fit the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import torch

CACHED = 1 << 19  # numbers of each array worked on at once on a CPU
DRIFT = 2  # of the true residual from the updated one, from which on it counts
ROUNDING = 4  # a residual is known to this many roundings of A x; up to 2 were seen

Matmul = Callable[[torch.Tensor], torch.Tensor]  # (N, C') -> (N, C') for any C'
RowsOf = Callable[[slice], torch.Tensor]  # some rows of a tensor (N, C') that is not held, (B, C')


@runtime_checkable
class RowProducts(Protocol):
    """A `Matmul` that can be computed in some rows; `cg` then uses them while they are in the cache."""

    def __call__(self, x_NC: torch.Tensor) -> torch.Tensor:
        """A x."""

    def rows(self, x_NC: torch.Tensor, rows: slice, out: torch.Tensor) -> torch.Tensor:
        """A x in these rows, into `out`."""


class Preconditioner(Protocol):
    """Columns V (N, G) whose span is solved for directly, in the form of `deflate.Deflation`; for any columns."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that it needs: in another, rounding may grow from step to step."""

    def inside(self, x_NC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """V^T x and (V^T A V)^-1 V^T x, both (G, C)."""

    def image(self, coarse_GC: torch.Tensor) -> RowsOf:
        """A V times these columns."""

    def outside(self, coarse_GC: torch.Tensor) -> RowsOf:
        """V times these columns."""


class Running:
    """The columns still running: iterate x, residual r, direction p of each, and some of their products.

    With a preconditioner what it solves for is missing from x until an audit, and taken off r.
    """

    def __init__(
        self, matmul: Matmul, b_NC: torch.Tensor, columns_A: torch.Tensor, precondition: Preconditioner | None
    ) -> None:
        self._matmul, self.columns_A, self._precondition = matmul, columns_A, precondition
        b_NA = b_NC.index_select(1, columns_A)
        self.r_NA = b_NA.to_dense() if b_NA.is_sparse else b_NA
        self.x_NA = torch.zeros_like(self.r_NA)
        self._begin(self.r_NA, self.x_NA)
        self.p_NA, self._q_NA = self.r_NA.clone(), torch.empty_like(self.r_NA)  # new memory costs a fill: q is kept
        self.rr_A = (self.r_NA * self.r_NA).sum(dim=0) if precondition is None else squares(self.r_NA)
        self.pp_A = self.rr_A.clone()
        self.gain_A = torch.zeros_like(self.rr_A)
        self.checked_A = torch.full_like(self.rr_A, torch.inf)  # the true residual when last computed
        self.waiting_A = torch.zeros_like(columns_A, dtype=torch.bool)  # for an audit: they stay as they are

    def advance(self) -> torch.Tensor:
        """One step; returns which columns could not take it (p . A p not positive: nothing left to gain).

        Worked through in blocks of rows that stay in the cache: reading memory is what a step costs on a CPU.
        """
        pq_A = size_A = self._product()
        solved_GA = None
        if self._precondition is not None:
            along_GA, solved_GA = self._precondition.inside(self._q_NA)
            pq_A = pq_A - (along_GA * solved_GA).sum(dim=0)
        broken_A = ~(pq_A > 0)
        length_A = torch.where(broken_A | self.waiting_A, 0, self.rr_A / pq_A)
        self.gain_A = torch.maximum(self.gain_A, torch.where(broken_A, 0, size_A / self.pp_A))
        before_A, self.rr_A = self.rr_A, self._take_off(length_A, solved_GA)
        kept_A = torch.where(broken_A, 0, self.rr_A / before_A)
        self.pp_A = self.rr_A + kept_A.square() * self.pp_A  # r is orthogonal to the last p
        for rows in _row_blocks(self.p_NA):
            self.x_NA[rows].addcmul_(self.p_NA[rows], length_A)
            self.p_NA[rows].mul_(kept_A).add_(self.r_NA[rows])
        return broken_A

    def _product(self) -> torch.Tensor:
        """Computes q = A p; returns p . q."""
        product, pq_A = self._matmul, torch.zeros_like(self.rr_A)
        if not isinstance(product, RowProducts):
            self._q_NA = product(self.p_NA)
        elif self._q_NA.shape != self.p_NA.shape:
            self._q_NA = torch.empty_like(self.p_NA)
        for rows in _row_blocks(self.p_NA):
            if isinstance(product, RowProducts):
                product.rows(self.p_NA, rows, self._q_NA[rows])
            pq_A += (self.p_NA[rows] * self._q_NA[rows]).sum(dim=0)
        return pq_A

    def _take_off(self, length_A: torch.Tensor, solved_GA: torch.Tensor | None) -> torch.Tensor:
        """Takes so much of P q off r, and what r has inside by rounding; returns r . r."""
        rr_A, image = torch.zeros_like(self.rr_A), None
        if self._precondition is not None and solved_GA is not None:
            _, rounding_GA = self._precondition.inside(self.r_NA)
            image = self._precondition.image(solved_GA * length_A - rounding_GA)
        for rows in _row_blocks(self.r_NA):
            r_BA = self.r_NA[rows].addcmul_(self._q_NA[rows], -length_A)
            if image is not None:
                r_BA += image(rows)
            rr_A += (r_BA * r_BA).sum(dim=0)
        return rr_A

    def _begin(self, r_NA: torch.Tensor, x_NA: torch.Tensor) -> None:
        """Adds to x what the preconditioner solves for, and takes it off the residual."""
        if self._precondition is not None:
            _, solved_GA = self._precondition.inside(r_NA)
            outside, image = self._precondition.outside(solved_GA), self._precondition.image(solved_GA)
            for rows in _row_blocks(r_NA):
                x_NA[rows] += outside(rows)
                r_NA[rows] -= image(rows)

    def audited(self, b_NC: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x in these columns, with all that belongs to it, and the true residual b - A x."""
        x_NA, b_NA, product = columns_of(self.x_NA, places), columns_of(b_NC, self.columns_A[places]), self._matmul
        if isinstance(product, RowProducts):
            if len(places) < self._q_NA.shape[1]:
                self._q_NA = torch.empty_like(x_NA)
            true_NA = self._q_NA
            for rows in _row_blocks(x_NA):
                product.rows(x_NA, rows, true_NA[rows]).neg_()
            true_NA += b_NA
        else:
            true_NA = product(x_NA).neg().add_(b_NA)
        self._begin(true_NA, x_NA)  # x may be that of the block: r, without what is inside, stays the same
        return x_NA, true_NA

    def drifted(self, b_NC: torch.Tensor) -> torch.Tensor:
        """Which columns have a true residual far from that which was updated."""
        _, true_NA = self.audited(b_NC, torch.arange(len(self.columns_A), device=b_NC.device))
        return squares(true_NA).sqrt() > DRIFT * self.rr_A.sqrt()

    def audited_norm(self, places: torch.Tensor, x_NA: torch.Tensor, true_NA: torch.Tensor) -> torch.Tensor:
        """The norm of r as updated where b - A x agrees with it to rounding, else that of b - A x.

        Rounding of A x is a few units in the last place of |A| |x|; the largest p.Ap / p.p seen stands for |A|.
        """
        updated_A = self.rr_A[places].sqrt()
        if self._precondition is None:
            true_A, length_A = (torch.linalg.vector_norm(part_NA, dim=0) for part_NA in (true_NA, x_NA))
        else:  # several times as quick, and other roundings
            true_A, length_A = (squares(part_NA).sqrt() for part_NA in (true_NA, x_NA))
        size_A = self.gain_A[places] * length_A
        rounding_A = ROUNDING * torch.finfo(true_A.dtype).eps * size_A
        return torch.where(true_A <= updated_A + rounding_A, updated_A, true_A)

    def restart(
        self, places: torch.Tensor, x_NA: torch.Tensor, residual_NA: torch.Tensor, relative_A: torch.Tensor
    ) -> None:
        """Goes on from the true residual in these columns."""
        self.x_NA[:, places], self.r_NA[:, places], self.p_NA[:, places] = x_NA, residual_NA, residual_NA
        rr_A = (residual_NA * residual_NA).sum(dim=0) if self._precondition is None else squares(residual_NA)
        self.rr_A[places], self.pp_A[places] = rr_A, rr_A
        self.checked_A[places], self.waiting_A[places] = relative_A, False

    def drop(self, places: torch.Tensor) -> None:
        """Forgets these columns."""
        if not len(places):
            return
        keep_A = torch.ones_like(self.columns_A, dtype=torch.bool)
        keep_A[places] = False
        kept = keep_A.nonzero().squeeze(1)
        self.columns_A, self.checked_A = self.columns_A[kept], self.checked_A[kept]
        self.rr_A, self.pp_A = self.rr_A[kept], self.pp_A[kept]
        self.waiting_A, self.gain_A = self.waiting_A[kept], self.gain_A[kept]
        self._q_NA = self.p_NA.new_empty(0)  # first, to make room
        self.x_NA, self.r_NA, self.p_NA = self.x_NA[:, kept], self.r_NA[:, kept], self.p_NA[:, kept]


def squares(x_NA: torch.Tensor) -> torch.Tensor:
    """The sum of squares of each column."""
    if x_NA.is_sparse:
        x_NA = x_NA.coalesce()
        return x_NA.values().new_zeros(x_NA.shape[1]).index_add_(0, x_NA.indices()[1], x_NA.values().square())
    parts = [(x_NA[rows] * x_NA[rows]).sum(dim=0) for rows in _row_blocks(x_NA)]
    return torch.stack(parts).sum(dim=0)


def columns_of(x_NA: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """These columns, in ascending order; x itself where they are all."""
    return x_NA if len(places) == x_NA.shape[1] else x_NA.index_select(1, places)


def _row_blocks(x_NA: torch.Tensor) -> Iterator[slice]:
    """Rows that fit the cache together; all at once where there is no such cache."""
    n, columns = x_NA.shape
    step = max(1, CACHED // max(1, columns)) if x_NA.device.type == "cpu" else n
    for start in range(0, n, max(1, step)):
        yield slice(start, start + step)
