"""Iterative solvers: an operator given as a function, all columns at once, with the true residual of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from labelprop.functional.steps import Matmul, Preconditioner, Running, columns_of, squares

AUDIT_EVERY = 50  # steps with a preconditioner: a near null vector makes x large, and rounding with it
SPLIT = 4  # steps of a block: so much an audit of some of its columns and copies of the others take


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

    b may be sparse (COO). `matmul(x)` returns A x for symmetric positive (semi)definite A and must leave x alone; it
    may be called with fewer columns than b has. A column stops at ||b - A x|| <= tol ||b||, as with
    `scipy.sparse.linalg.cg(A, b, rtol=tol, atol=0, maxiter=max_iter)`. With `precondition` the steps are of what that
    leaves of A, see `functional.deflate`.
    Departs from the textbook: (1) all columns in one product a step; those that are done leave the block. (2) The
    updated residual drifts from the true one, so that of a column that claims to be done, or ends, is audited: where
    b - A x differs by more than rounding allows, b - A x counts, and the column goes on from there as long as it
    gains a tenth each time.
    """
    b_NC = b_NC.to_dense() if b_NC.is_sparse and precondition is None else b_NC
    steps_C = torch.zeros(b_NC.shape[1], dtype=torch.int64, device=b_NC.device)
    residual_C = torch.zeros(b_NC.shape[1], dtype=torch.float64, device=b_NC.device)
    solved: list[tuple[torch.Tensor, torch.Tensor]] = []  # columns and what they are
    norm_C = torch.linalg.vector_norm(b_NC, dim=0) if precondition is None else squares(b_NC).sqrt()
    running = Running(matmul, b_NC, norm_C.nonzero().squeeze(1), precondition)
    max_iter, wasted = int(max_iter), 0.0  # NumPy's numbers are no Python ones to torch
    for step in range(1, max_iter + 1):
        if not len(running.columns_A):
            break
        broken_A = running.advance()
        claimed_A = running.rr_A.sqrt() <= tol * norm_C[running.columns_A]
        asked_A = broken_A | claimed_A | (step == max_iter)
        if precondition is not None and step % AUDIT_EVERY == 0:
            asked_A |= running.drifted(b_NC)
        if not bool(asked_A.any()):
            continue
        # Preconditioned columns are done soon after each other: some wait until that costs what a split does.
        if precondition is not None and not bool(broken_A.any() | asked_A.all()):
            wasted += float(claimed_A.double().mean())
            if wasted < SPLIT:
                running.waiting_A = claimed_A
                continue
        wasted = 0.0
        asked = asked_A.nonzero().squeeze(1)
        columns = running.columns_A[asked]
        x_NA, true_NA = running.audited(b_NC, asked)
        relative_A = running.audited_norm(asked, x_NA, true_NA) / norm_C[columns]
        stuck_A = broken_A[asked] | (relative_A > 0.9 * running.checked_A[asked])
        done_A = (relative_A <= tol) | stuck_A | (step == max_iter)
        finished = columns[done_A]
        residual_C[finished], steps_C[finished] = relative_A[done_A].double(), step
        solved.append((finished, columns_of(x_NA, done_A.nonzero().squeeze(1))))
        if not bool(done_A.all()):
            running.restart(asked[~done_A], x_NA[:, ~done_A], true_NA[:, ~done_A], relative_A[~done_A])
        del x_NA, true_NA
        running.drop(asked[done_A])
    del running  # before the columns are put together: they may be large
    return ColumnSolve(_together(solved, b_NC), steps_C, residual_C)


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
        again = solve(b_NC.index_select(1, stuck).double())
        solved.solution_NC[:, stuck] = again.solution_NC.to(b_NC.dtype)
        solved.steps_C[stuck], solved.residual_C[stuck] = again.steps_C, again.residual_C
    return solved


def _together(parts: list[tuple[torch.Tensor, torch.Tensor]], like_NC: torch.Tensor) -> torch.Tensor:
    """These columns, with their numbers, in their places (N, C); 0 in others."""
    for _, part_NA in parts:
        if part_NA.shape == like_NC.shape:
            return part_NA
    together_NC = torch.zeros(like_NC.shape, dtype=like_NC.dtype, device=like_NC.device)
    for columns, part_NA in parts:
        together_NC[:, columns] = part_NA
    return together_NC
