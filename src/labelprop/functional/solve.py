"""Iterative solvers: an operator given as a function, all columns at once, with the true residual of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch

CACHED = 1 << 19  # numbers of each array worked on at once on a CPU
AUDIT_EVERY, DRIFT = 50, 2  # steps with a preconditioner: a near null vector makes x large, and rounding with it
PATIENCE = 0.25  # of all steps so far, that a column waits for others to be audited with
ROUNDING = 4  # a residual is known to this many roundings of A x; up to 2 were seen

Matmul = Callable[[torch.Tensor], torch.Tensor]  # (N, C') -> (N, C') for any C'
RowsOf = Callable[[slice], torch.Tensor]  # some rows of a tensor (N, C') that is not held, (B, C')


class Preconditioner(Protocol):
    """An approximate inverse of A; both functions take any number of columns."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that it needs: in another, rounding may grow from step to step."""

    def start(self, r_NC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What to add to x first where the residual is r, and the residual afterwards; both (N, C')."""

    def correction(self, r_NC: torch.Tensor) -> tuple[torch.Tensor, RowsOf]:
        """Of c = M^-1 r - r: r . c of each column, and c."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Steps, residual and convergence of a solve, without the solution, which may be large."""

    steps: int
    residual: float  # ||b - A x|| / ||b|| of the worst column
    converged: bool

    @staticmethod
    def worst(*verdicts: Verdict) -> Verdict:
        """The verdict on several solves together: converged only where all did."""
        return Verdict(
            steps=max(verdict.steps for verdict in verdicts),
            residual=max(verdict.residual for verdict in verdicts),
            converged=all(verdict.converged for verdict in verdicts),
        )


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSolve:
    """The answer of a solver with the verdict of each column."""

    solution_NC: torch.Tensor
    steps_C: torch.Tensor  # int64
    residual_C: torch.Tensor  # float64; ||b - A x|| / ||b||, audited; 0 where b is 0

    @classmethod
    def empty(cls, n: int, n_columns: int, dtype: torch.dtype, device: torch.device) -> ColumnSolve:
        """Room for the columns of several solves."""
        return cls(
            torch.zeros(n, n_columns, dtype=dtype, device=device),
            torch.zeros(n_columns, dtype=torch.int64, device=device),
            torch.zeros(n_columns, dtype=torch.float64, device=device),
        )

    def put(self, rows: torch.Tensor, first: int, part: ColumnSolve) -> None:
        """Takes in the answer in these rows for the columns from `first` on."""
        columns = slice(first, first + part.solution_NC.shape[1])
        self.solution_NC[rows, columns] = part.solution_NC
        self.steps_C[columns], self.residual_C[columns] = part.steps_C, part.residual_C

    def verdict(self, tol: float) -> Verdict:
        """The worst column's."""
        residual = float(self.residual_C.max()) if len(self.residual_C) else 0.0
        steps = int(self.steps_C.max()) if len(self.steps_C) else 0
        return Verdict(steps, residual, converged=residual <= tol)


@torch.no_grad()
def cg(
    matmul: Matmul, b_NC: torch.Tensor, *, tol: float, max_iter: int, precondition: Preconditioner | None = None
) -> ColumnSolve:
    """Conjugate gradient from zero for A x = b (Hestenes & Stiefel 1952), every column for itself, in the dtype of b.

    `matmul(x)` returns A x for symmetric positive (semi)definite A and must leave x alone; it may be called with
    fewer columns than b has. A column stops at ||b - A x|| <= tol ||b||, as with
    `scipy.sparse.linalg.cg(A, b, rtol=tol, atol=0, maxiter=max_iter)`. With `precondition` it begins, and begins
    again after an audit, at what that knows of the solution.
    Departs from the textbook: (1) all columns in one product a step; those that are done leave the block. (2) The
    updated residual drifts from the true one, so that of a column that claims to be done, or ends, is audited: where
    b - A x differs by more than rounding allows, b - A x counts, and the column goes on from there as long as it
    gains a tenth each time.
    """
    found = ColumnSolve.empty(b_NC.shape[0], b_NC.shape[1], b_NC.dtype, b_NC.device)
    norm_C = torch.linalg.vector_norm(b_NC, dim=0) if precondition is None else _squares(b_NC).sqrt()
    running = _Block(b_NC, norm_C.nonzero().squeeze(1), precondition)
    max_iter, first = int(max_iter), 0  # NumPy's numbers are no Python ones to torch
    for step in range(1, max_iter + 1):
        if not len(running.columns_A):
            break
        broken_A = running.advance(matmul)
        claimed_A = running.rr_A.sqrt() <= tol * norm_C[running.columns_A]
        asked_A = broken_A | claimed_A | (step == max_iter)
        if precondition is not None and step % AUDIT_EVERY == 0:
            asked_A |= running.drifted(b_NC, matmul)
        if not bool(asked_A.any()):
            continue
        # Preconditioned columns are done soon after each other, and audited together in one product.
        if precondition is not None and not bool(broken_A.any() | asked_A.all()):
            first = first or step
            if step - first < PATIENCE * step:
                running.waiting_A = claimed_A
                continue
        first = 0
        asked = asked_A.nonzero().squeeze(1)
        columns = running.columns_A[asked]
        true_NA = _columns(b_NC, columns) - matmul(_columns(running.x_NA, asked))
        relative_A = running.audited_norm(asked, true_NA) / norm_C[columns]
        stuck_A = broken_A[asked] | (relative_A > 0.9 * running.checked_A[asked])
        done_A = (relative_A <= tol) | stuck_A | (step == max_iter)
        finished = columns[done_A]
        found.solution_NC[:, finished] = _columns(running.x_NA, asked[done_A])
        found.residual_C[finished], found.steps_C[finished] = relative_A[done_A].double(), step
        if not bool(done_A.all()):
            running.restart(asked[~done_A], true_NA[:, ~done_A], relative_A[~done_A])
        running.drop(asked[done_A])
    return found


def cg_refined(
    matmul: Callable[[torch.dtype], Matmul],
    b_NC: torch.Tensor,
    *,
    tol: float,
    max_iter: int,
    precondition: Callable[[torch.dtype], Preconditioner | None] | None = None,
) -> ColumnSolve:
    """As `cg`; float32 columns that rounding stops short of `tol` are solved again in float64.

    All are solved in float64 where the preconditioner needs that.

    `matmul(dtype)` and `precondition(dtype)` give the operators in that type. In float32 a sum over the thousand
    edges of a hub is good to 1e-5 only, and so is the residual there. The answer is rounded to the type of b.
    """

    def solve(columns_NC: torch.Tensor) -> ColumnSolve:
        made = None if precondition is None else precondition(columns_NC.dtype)
        if precondition is not None and made is not None and made.dtype != columns_NC.dtype:
            columns_NC, made = columns_NC.to(made.dtype), precondition(made.dtype)
        return cg(matmul(columns_NC.dtype), columns_NC, tol=tol, max_iter=max_iter, precondition=made)

    solved = solve(b_NC)
    if solved.solution_NC.dtype != b_NC.dtype:
        return replace(solved, solution_NC=solved.solution_NC.to(b_NC.dtype))
    stuck = ((solved.residual_C > tol) & (solved.steps_C < max_iter)).nonzero().squeeze(1)
    if b_NC.dtype != torch.float64 and len(stuck):
        again = solve(b_NC[:, stuck].double())
        solved.solution_NC[:, stuck] = again.solution_NC.to(b_NC.dtype)
        solved.steps_C[stuck], solved.residual_C[stuck] = again.steps_C, again.residual_C
    return solved


class _Block:
    """The columns still running: iterate x, residual r, direction p of each, and some of their products."""

    def __init__(self, b_NC: torch.Tensor, columns_A: torch.Tensor, precondition: Preconditioner | None) -> None:
        self.columns_A, self._precondition = columns_A, precondition
        self.x_NA, self.r_NA, self.p_NA, (self.rr_A, self.rz_A, self.pp_A) = self._begun(b_NC[:, columns_A])
        self.gain_A = torch.zeros_like(self.rr_A)
        self.checked_A = torch.full_like(self.rr_A, torch.inf)  # the true residual when last computed
        self.waiting_A = torch.zeros_like(columns_A, dtype=torch.bool)  # for an audit: they stay as they are

    def advance(self, matmul: Matmul) -> torch.Tensor:
        """One step; returns which columns could not take it (p . A p not positive: nothing left to gain).

        Worked through in blocks of rows that stay in the cache: reading memory is what a step costs on a CPU.
        """
        q_NA = matmul(self.p_NA)
        pq_A = torch.zeros_like(self.rr_A)
        for rows in _row_blocks(q_NA):
            pq_A += (self.p_NA[rows] * q_NA[rows]).sum(dim=0)
        broken_A = ~(pq_A > 0)
        length_A = torch.where(broken_A | self.waiting_A, 0, self.rz_A / pq_A)
        self.gain_A = torch.maximum(self.gain_A, torch.where(broken_A, 0, pq_A / self.pp_A))
        self.rr_A = torch.zeros_like(self.rr_A)
        for rows in _row_blocks(q_NA):
            r_BA = self.r_NA[rows].addcmul_(q_NA[rows], -length_A)
            self.rr_A += (r_BA * r_BA).sum(dim=0)
        before_A, (self.rz_A, correction) = self.rz_A, self._preconditioned(self.r_NA, self.rr_A)
        kept_A = torch.where(broken_A, 0, self.rz_A / before_A)
        # Without a preconditioner r is orthogonal to the last p.
        self.pp_A = self.rr_A + kept_A.square() * self.pp_A if correction is None else torch.zeros_like(self.rr_A)
        for rows in _row_blocks(q_NA):
            self.x_NA[rows].addcmul_(self.p_NA[rows], length_A)
            p_BA = self.p_NA[rows].mul_(kept_A).add_(self.r_NA[rows])
            if correction is not None:
                p_BA += correction(rows)
                self.pp_A += (p_BA * p_BA).sum(dim=0)
        return broken_A

    def _preconditioned(self, r_NC: torch.Tensor, rr_C: torch.Tensor) -> tuple[torch.Tensor, RowsOf | None]:
        """r . M^-1 r of some columns, and M^-1 r - r; None where M = I."""
        if self._precondition is None:
            return rr_C, None
        inner_C, correction = self._precondition.correction(r_NC)
        return rr_C + inner_C, correction

    def drifted(self, b_NC: torch.Tensor, matmul: Matmul) -> torch.Tensor:
        """Which columns have a true residual far from that which was updated."""
        true_NA = _columns(b_NC, self.columns_A) - matmul(self.x_NA)
        return _squares(true_NA).sqrt() > DRIFT * self.rr_A.sqrt()

    def audited_norm(self, places: torch.Tensor, true_NA: torch.Tensor) -> torch.Tensor:
        """The norm of r as updated where b - A x agrees with it to rounding, else that of b - A x.

        Rounding of A x is a few units in the last place of |A| |x|; the largest p.Ap / p.p seen stands for |A|.
        """
        updated_A, x_NA = self.rr_A[places].sqrt(), _columns(self.x_NA, places)
        if self._precondition is None:
            true_A, length_A = (torch.linalg.vector_norm(part_NA, dim=0) for part_NA in (true_NA, x_NA))
        else:  # several times as quick, and other roundings
            true_A, length_A = (_squares(part_NA).sqrt() for part_NA in (true_NA, x_NA))
        size_A = self.gain_A[places] * length_A
        rounding_A = ROUNDING * torch.finfo(true_A.dtype).eps * size_A
        return torch.where(true_A <= updated_A + rounding_A, updated_A, true_A)

    def restart(self, places: torch.Tensor, residual_NA: torch.Tensor, relative_A: torch.Tensor) -> None:
        """Goes on from the true residual in these columns."""
        gained_NA, self.r_NA[:, places], self.p_NA[:, places], sums_3A = self._begun(residual_NA)
        self.x_NA[:, places] += gained_NA
        self.rr_A[places], self.rz_A[places], self.pp_A[places] = sums_3A
        self.checked_A[places], self.waiting_A[places] = relative_A, False

    def _begun(self, r_NC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...]]:
        """What to add to x where the residual is r, r and p afterwards, and r . r, r . M^-1 r and p . p."""
        if self._precondition is None:
            rr_C = (r_NC * r_NC).sum(dim=0)
            return torch.zeros_like(r_NC), r_NC, r_NC.clone(), (rr_C, rr_C.clone(), rr_C.clone())
        gained_NC, r_NC = self._precondition.start(r_NC)
        inner_C, correction = self._precondition.correction(r_NC)
        p_NC, rr_C = correction(slice(None)).add_(r_NC), _squares(r_NC)
        return gained_NC, r_NC, p_NC, (rr_C, rr_C + inner_C, _squares(p_NC))

    def drop(self, places: torch.Tensor) -> None:
        """Forgets these columns."""
        if not len(places):
            return
        keep_A = torch.ones_like(self.columns_A, dtype=torch.bool)
        keep_A[places] = False
        kept = keep_A.nonzero().squeeze(1)
        self.columns_A, self.checked_A = self.columns_A[kept], self.checked_A[kept]
        self.rr_A, self.rz_A, self.waiting_A = self.rr_A[kept], self.rz_A[kept], self.waiting_A[kept]
        self.pp_A, self.gain_A = self.pp_A[kept], self.gain_A[kept]
        self.x_NA, self.r_NA, self.p_NA = self.x_NA[:, kept], self.r_NA[:, kept], self.p_NA[:, kept]


def _squares(x_NA: torch.Tensor) -> torch.Tensor:
    """The sum of squares of each column."""
    parts = [(x_NA[rows] * x_NA[rows]).sum(dim=0) for rows in _row_blocks(x_NA)]
    return torch.stack(parts).sum(dim=0)


def _columns(x_NA: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """These columns, in ascending order; x itself where they are all."""
    return x_NA if len(places) == x_NA.shape[1] else x_NA[:, places]


def _row_blocks(x_NA: torch.Tensor) -> Iterator[slice]:
    """Rows that fit the cache together; all at once where there is no such cache."""
    n, columns = x_NA.shape
    step = max(1, CACHED // max(1, columns)) if x_NA.device.type == "cpu" else n
    for start in range(0, n, max(1, step)):
        yield slice(start, start + step)
