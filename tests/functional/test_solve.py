"""Conjugate gradient against a textbook loop, dense solves, and operators that deceive it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelprop.functional.solve import cg, cg_refined


def textbook_cg(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Hestenes & Stiefel for one column, exactly `steps` steps from zero (fewer where the residual vanishes)."""
    x, r = np.zeros_like(b), b.copy()
    p, rr = r.copy(), float(r @ r)
    for _ in range(steps):
        if rr == 0:
            break
        q = a @ p
        length = rr / float(p @ q)
        x, r = x + length * p, r - length * q
        rr, before = float(r @ r), rr
        p = r + (rr / before) * p
    return x


def spd(n: int, condition: float, seed: int) -> np.ndarray:
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return (basis * np.geomspace(1, condition, n)) @ basis.T


def operator(a: np.ndarray, dtype: torch.dtype = torch.float64):
    matrix = torch.from_numpy(a).to(dtype)
    return lambda x: matrix @ x


@settings(deadline=None, max_examples=40)
@given(n=st.integers(40, 80), columns=st.integers(1, 5), seed=st.integers(0, 10**6), steps=st.integers(1, 20))
def test_each_step_is_the_textbook_step_of_each_column(n: int, columns: int, seed: int, steps: int) -> None:
    a = spd(n, 20, seed)
    b = np.random.default_rng(seed + 1).normal(size=(n, columns))
    found = cg(operator(a), torch.from_numpy(b), tol=0, max_iter=steps)
    for column in range(columns):
        wanted = textbook_cg(a, b[:, column], steps)
        # Rounding grows from step to step in CG itself; another algorithm is off by far more than this.
        np.testing.assert_allclose(found.solution_NC[:, column], wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())
    assert found.steps_C.tolist() == [steps] * columns


@settings(deadline=None, max_examples=25)
@given(n=st.integers(1, 40), columns=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_solves_what_a_dense_solver_solves(n: int, columns: int, seed: int) -> None:
    a = spd(n, 50, seed)
    b = np.random.default_rng(seed).normal(size=(n, columns))
    found = cg(operator(a), torch.from_numpy(b), tol=1e-10, max_iter=500)
    assert found.verdict(1e-10).converged
    assert float(found.residual_C.max()) <= 1e-10
    np.testing.assert_allclose(found.solution_NC, np.linalg.solve(a, b), rtol=1e-6, atol=1e-8)


def test_verdict_is_the_worst_columns_true_residual() -> None:
    a = spd(40, 1e4, 0)
    b = np.random.default_rng(0).normal(size=(40, 3))
    found = cg(operator(a), torch.from_numpy(b), tol=1e-6, max_iter=12)
    true = np.linalg.norm(b - a @ found.solution_NC.numpy(), axis=0) / np.linalg.norm(b, axis=0)
    np.testing.assert_allclose(found.residual_C, true, rtol=1e-6)
    verdict = found.verdict(1e-6)
    assert not verdict.converged
    assert verdict.residual == pytest.approx(true.max())
    assert verdict.steps == 12


def test_columns_that_are_done_leave_the_block_and_zero_columns_never_enter() -> None:
    a = np.diag(np.linspace(1, 100, 30))
    b = np.zeros((30, 4))
    b[3, 0] = 1  # an eigenvector: one step
    b[:, 1] = 1  # thirty different eigenvalues: many steps
    b[[3, 9], 3] = 1  # two steps
    widths = []

    def counted(x: torch.Tensor) -> torch.Tensor:
        widths.append(x.shape[1])
        return torch.from_numpy(a) @ x

    found = cg(counted, torch.from_numpy(b), tol=1e-9, max_iter=100)
    assert found.steps_C.tolist()[0] == 1
    assert found.steps_C.tolist()[3] == 2
    assert found.steps_C.tolist()[2] == 0
    assert found.residual_C[2] == 0
    assert found.steps_C[1] > 15
    assert widths[0] == 3
    assert widths.count(1) > 15
    np.testing.assert_allclose(found.solution_NC, np.linalg.solve(a, b), atol=1e-8)


def test_the_scale_of_the_right_hand_side_scales_the_answer() -> None:
    a, b = spd(30, 200, 4), torch.from_numpy(np.random.default_rng(4).normal(size=(30, 2)))
    once = cg(operator(a), b, tol=1e-6, max_iter=7)
    tenfold = cg(operator(a), 8 * b, tol=1e-6, max_iter=7)
    torch.testing.assert_close(tenfold.solution_NC, 8 * once.solution_NC)
    torch.testing.assert_close(tenfold.residual_C, once.residual_C)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_of_the_right_hand_side_is_kept(dtype: torch.dtype) -> None:
    a = spd(50, 200, 5)
    b = torch.from_numpy(np.random.default_rng(5).normal(size=(50, 3))).to(dtype)
    found = cg(operator(a, dtype), b, tol=1e-6, max_iter=500)
    assert found.solution_NC.dtype == dtype
    assert found.verdict(1e-6).converged
    x = found.solution_NC.double().numpy()
    true = np.linalg.norm(b.double().numpy() - a @ x, axis=0) / np.linalg.norm(b.double().numpy(), axis=0)
    size = 200 * np.linalg.norm(x, axis=0) / np.linalg.norm(b.numpy(), axis=0)  # |A| |x| / |b|
    allowed = 1e-6 + 5 * torch.finfo(dtype).eps * size
    assert (true <= allowed).all()


def test_an_operator_that_makes_the_updated_residual_drift_is_found_out() -> None:
    """Products rounded to bfloat16: the updated residual falls to nothing while b - A x does not."""
    a = torch.from_numpy(spd(60, 1e3, 6))
    b = torch.from_numpy(np.random.default_rng(6).normal(size=(60, 1)))
    found = cg(lambda x: (a @ x).bfloat16().double(), b, tol=1e-5, max_iter=3000)
    true = float((b - (a @ found.solution_NC)).norm() / b.norm())
    assert not found.verdict(1e-5).converged
    assert float(found.residual_C) > 1e-4
    assert true == pytest.approx(float(found.residual_C), rel=5)


def test_tolerance_zero_and_exhausted_problems_end_without_nan() -> None:
    found = cg(lambda x: x.clone(), torch.ones(5, 2, dtype=torch.float32), tol=0, max_iter=50)
    torch.testing.assert_close(found.solution_NC, torch.ones(5, 2))
    singular = cg(torch.zeros_like, torch.ones(4, 1), tol=1e-6, max_iter=50)
    assert singular.solution_NC.isfinite().all()
    assert not singular.verdict(1e-6).converged
    assert float(singular.residual_C) == 1


def star(leaves: int) -> np.ndarray:
    """2 I - S of a star: the sums of its hub are worse in float32 than those of other rows."""
    a = 2 * np.eye(leaves + 1)
    a[0, 1:] = a[1:, 0] = -1 / np.sqrt(leaves)
    return a


def test_float32_columns_that_rounding_stops_are_solved_again_in_float64() -> None:
    a = star(50)
    wrong = a.copy()
    wrong[0, 1:] *= 1.0001  # what sums over many edges do in float32
    asked: list[torch.dtype] = []

    def matmul(dtype: torch.dtype):
        asked.append(dtype)
        steps = iter((a, wrong) * 1000)  # products that do not agree with each other
        return lambda x: torch.from_numpy(next(steps) if dtype == torch.float32 else a).to(dtype) @ x

    b = np.random.default_rng(0).normal(size=(51, 3))
    alone = cg(matmul(torch.float32), torch.from_numpy(b).float(), tol=1e-6, max_iter=100)
    assert not alone.verdict(1e-6).converged
    found = cg_refined(matmul, torch.from_numpy(b).float(), tol=1e-6, max_iter=100)
    assert asked[-2:] == [torch.float32, torch.float64]
    assert found.verdict(1e-6).converged
    assert found.solution_NC.dtype == torch.float32
    np.testing.assert_allclose(found.solution_NC, np.linalg.solve(a, b), atol=1e-5)


def test_a_solve_that_ends_at_max_iter_is_not_repeated() -> None:
    asked: list[torch.dtype] = []

    def matmul(dtype: torch.dtype):
        asked.append(dtype)
        return operator(spd(40, 1000, 0), dtype)

    found = cg_refined(matmul, torch.ones(40, 2), tol=1e-6, max_iter=3)
    assert asked == [torch.float32]
    assert not found.verdict(1e-6).converged
