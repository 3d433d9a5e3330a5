"""Conjugate gradient with a coarse space: exact whatever the space is, and what the space holds costs no step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelprop.functional.deflate import Deflation, coarse_inverse
from labelprop.functional.solve import ColumnSolve, cg


def normalized_weights(n: int, seed: int, density: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """S = D^-1/2 W D^-1/2 of a connected random graph, and D."""
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density), 1)
    w[np.arange(n - 1), np.arange(1, n)] += 0.1
    w += w.T
    degree = w.sum(axis=1)
    return w / np.sqrt(np.outer(degree, degree)), degree


def space(s: np.ndarray, degree: np.ndarray, cell: np.ndarray, factor: float, diagonal: float = 1.0) -> Deflation:
    """The deflation of diagonal I - factor S by dense algebra."""
    v = np.zeros((len(s), cell.max() + 1))
    v[np.arange(len(s)), cell] = np.sqrt(degree)
    v /= np.maximum(np.linalg.norm(v, axis=0), 1e-300)
    coarse = v.T @ (diagonal * np.eye(len(s)) - factor * s) @ v
    if factor == diagonal == 1:  # one null vector, D^1/2
        y = v.T @ (np.sqrt(degree) / np.sqrt(degree.sum()))
        coarse += np.outer(y, y)
    empty = np.linalg.norm(v, axis=0) == 0
    coarse[empty, empty] = 1
    inverse = coarse_inverse(torch.from_numpy(coarse), torch.float64)
    assert inverse is not None
    along, spread = torch.from_numpy(v.T.copy()), torch.from_numpy(np.hstack([v, s @ v]))
    squares = torch.from_numpy(np.outer(y, y)) if factor == diagonal == 1 else None
    return Deflation(
        lambda x: along @ x,
        lambda c: lambda rows: spread[rows] @ c,
        factor,
        diagonal,
        inverse,
        None if squares is None else lambda c: squares @ c,
    )


def solve(s: np.ndarray, b: np.ndarray, deflation: Deflation, tol: float = 1e-10, max_iter: int = 500) -> ColumnSolve:
    a = torch.from_numpy(deflation.diagonal * np.eye(len(s)) - deflation.factor * s)
    return cg(lambda x: a @ x, torch.from_numpy(b), tol=tol, max_iter=max_iter, precondition=deflation)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 60),
    n_cells=st.integers(1, 70),
    columns=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    shift=st.sampled_from([0.0, 0.1]),
)
def test_any_cells_give_the_dense_solution(n: int, n_cells: int, columns: int, seed: int, shift: float) -> None:
    s, degree = normalized_weights(n, seed)
    rng = np.random.default_rng(seed)
    cell, b = rng.integers(n_cells, size=n), rng.normal(size=(n, columns))
    found = solve(s, b, space(s, degree, cell, 0.9, 1 + shift))
    wanted = np.linalg.solve((1 + shift) * np.eye(n) - 0.9 * s, b)
    np.testing.assert_allclose(found.solution_NC, wanted, rtol=0, atol=1e-7 * np.abs(wanted).max())
    assert float(found.residual_C.max()) <= 1e-10


def test_a_cell_for_every_row_leaves_one_step() -> None:
    s, degree = normalized_weights(30, 0)
    found = solve(s, np.random.default_rng(1).normal(size=(30, 3)), space(s, degree, np.arange(30), 0.99))
    assert int(found.steps_C.max()) <= 1
    assert float(found.residual_C.max()) <= 1e-10


def test_one_cell_a_component_takes_the_null_vector_off() -> None:
    s, degree = normalized_weights(40, 2)
    null = np.sqrt(degree / degree.sum())
    b = np.random.default_rng(3).normal(size=(40, 2))
    b -= np.outer(null, null @ b)
    found = solve(s, b, space(s, degree, np.zeros(40, dtype=np.int64), 1.0))
    wanted = np.linalg.pinv(np.eye(40) - s) @ b
    solution = found.solution_NC.numpy()
    np.testing.assert_allclose(solution - np.outer(null, null @ solution), wanted, rtol=0, atol=1e-7)


def test_the_textbook_iteration_takes_the_same_steps() -> None:
    """A-DEF2 as its authors write it down, a column at a time."""
    s, degree = normalized_weights(80, 4, density=0.05)
    cell = np.random.default_rng(5).integers(8, size=80)
    b = np.random.default_rng(6).normal(size=(80, 1))
    a = np.eye(80) - 0.99 * s
    v = np.zeros((80, 8))
    v[np.arange(80), cell] = np.sqrt(degree)
    q = v @ np.linalg.solve(v.T @ a @ v, v.T)
    x = q @ b[:, 0]
    r = b[:, 0] - a @ x
    z = r + q @ (r - a @ r)
    p = z
    for _ in range(6):
        length = (r @ z) / (p @ a @ p)
        x, new = x + length * p, r - length * (a @ p)
        next_z = new + q @ (new - a @ new)
        p = next_z + (new @ next_z) / (r @ z) * p
        r, z = new, next_z
    found = solve(s, b, space(s, degree, cell, 0.99), tol=0, max_iter=6)
    np.testing.assert_allclose(found.solution_NC[:, 0], x, rtol=1e-9)


def test_slow_functions_cost_no_steps() -> None:
    """Ten tight groups hardly linked: plain conjugate gradient needs many times the steps."""
    rng = np.random.default_rng(0)
    group = np.arange(300) // 30
    w = np.where(group[:, None] == group, rng.random((300, 300)) < 0.5, rng.random((300, 300)) < 0.002) * 1.0
    w = np.triu(w, 1)
    w += w.T
    degree = w.sum(axis=1)
    s = w / np.sqrt(np.outer(degree, degree))
    b = rng.normal(size=(300, 2))
    with_cells = solve(s, b, space(s, degree, group, 0.9999))
    a = torch.from_numpy(np.eye(300) - 0.9999 * s)
    plain = cg(lambda x: a @ x, torch.from_numpy(b), tol=1e-10, max_iter=500)
    np.testing.assert_allclose(with_cells.solution_NC, plain.solution_NC, rtol=0, atol=1e-4)
    assert 1.5 * int(with_cells.steps_C.max()) < int(plain.steps_C.max())


def test_a_matrix_that_is_not_positive_definite_has_no_inverse() -> None:
    assert coarse_inverse(torch.tensor([[1.0, 2.0], [2.0, 1.0]], dtype=torch.float64), torch.float64) is None
    assert coarse_inverse(torch.zeros(2, 2, dtype=torch.float64), torch.float64) is None


@pytest.mark.parametrize(("smallest", "kept"), [(1e-2, torch.float32), (1e-7, torch.float64)])
def test_an_inverse_keeps_the_digits_it_needs(smallest: float, kept: torch.dtype) -> None:
    found = coarse_inverse(torch.diag(torch.tensor([1.0, smallest], dtype=torch.float64)), torch.float32)
    assert found is not None
    assert found.dtype == kept
    np.testing.assert_allclose(found.diagonal(), [1, 1 / smallest], rtol=1e-6)


def test_a_sparse_right_side_has_the_solution_of_the_dense_one() -> None:
    s, degree = normalized_weights(60, 7)
    b = np.zeros((60, 3))
    b[[3, 20, 41], [0, 1, 1]] = [1, 2, -1]  # the last column is 0
    deflation = space(s, degree, np.arange(60) // 10, 0.9)
    a = torch.from_numpy(np.eye(60) - 0.9 * s)
    wanted = solve(s, b, deflation)
    for chosen in (deflation, None):
        found = cg(lambda x: a @ x, torch.from_numpy(b).to_sparse(), tol=1e-10, max_iter=500, precondition=chosen)
        np.testing.assert_allclose(found.solution_NC, wanted.solution_NC, atol=1e-9)
        assert float(found.residual_C.max()) <= 1e-10
