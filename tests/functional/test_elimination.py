"""Elimination against exact rational arithmetic, at weights where floating-point solvers give nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelprop.functional import elimination
from labelprop.functional.elimination import eliminate


def exact(w: np.ndarray, leak: np.ndarray, inflow: np.ndarray) -> np.ndarray:
    """The system solved in rational numbers, by textbook Gaussian elimination with its subtractions."""
    n, k = inflow.shape
    rows = []
    for i in range(n):
        row = [Fraction(-w[i, j]) if i != j else Fraction(0) for j in range(n)]
        row[i] = Fraction(leak[i]) - sum(row)
        rows.append(row + [Fraction(value) for value in inflow[i]])
    for i in range(n):
        for other in range(n):
            if other != i and rows[other][i]:
                factor = rows[other][i] / rows[i][i]
                rows[other] = [a - factor * b for a, b in zip(rows[other], rows[i], strict=True)]
    return np.array([[float(rows[i][n + c] / rows[i][i]) for c in range(k)] for i in range(n)])


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 9), seed=st.integers(0, 10**6), span=st.integers(0, 60), panel=st.sampled_from([1, 3, 64]))
def test_every_entry_is_right_to_rounding(n: int, seed: int, span: int, panel: int) -> None:
    rng = np.random.default_rng(seed)
    w = np.triu(10.0 ** -(span * rng.random((n, n))), 1)
    w = w + w.T
    leak, inflow = 10.0 ** -(span * rng.random(n)), 10.0 ** -(span * rng.random((n, 2)))
    before, elimination.PANEL = elimination.PANEL, panel
    try:
        x = eliminate(*(torch.from_numpy(part.copy()) for part in (w, leak, inflow)))
    finally:
        elimination.PANEL = before
    np.testing.assert_allclose(x.numpy(), exact(w, leak, inflow), rtol=1e-13)


def test_rows_that_lead_nowhere_are_zero_and_the_diagonal_does_not_count() -> None:
    w = torch.tensor([[7.0, 1, 0], [1, 7, 0], [0, 0, 7]], dtype=torch.float64)
    x = eliminate(w, torch.tensor([1.0, 0, 0], dtype=torch.float64), torch.tensor([[0.5], [0], [0]]).double())
    np.testing.assert_allclose(x[:, 0], [0.5, 0.5, 0])


@pytest.mark.parametrize("n", [63, 64, 65, 200])
def test_agrees_with_a_dense_solve_across_panels(n: int) -> None:
    rng = np.random.default_rng(n)
    w = rng.random((n, n))
    w = w + w.T
    np.fill_diagonal(w, 0)
    leak, inflow = rng.random(n), rng.random((n, 3))
    x = eliminate(*(torch.from_numpy(part.copy()) for part in (w, leak, inflow)))
    np.testing.assert_allclose(x.numpy(), np.linalg.solve(np.diag(w.sum(axis=1) + leak) - w, inflow), rtol=1e-10)
