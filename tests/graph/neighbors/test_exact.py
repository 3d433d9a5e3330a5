"""Exact search against sorting all similarities, with the ties that break top-k."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelprop.graph.neighbors import exact, nearest
from labelprop.graph.neighbors.rows import as_rows


def sorted_by_hand(unit: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """All similarities of float32 unit rows, each summed in float64, sorted by (similarity descending, index)."""
    products = (unit[:, None, :] * unit[None, :, :]).astype(unit.dtype)
    values = np.clip(products.sum(axis=2, dtype=np.float64).astype(unit.dtype), -1, 1)
    zero = ~unit.any(axis=1)
    values[zero] = values[:, zero] = -np.inf
    np.fill_diagonal(values, -np.inf)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(values, order, axis=1)
    return np.where(best == -np.inf, -1, order), best


def unit(X: np.ndarray) -> np.ndarray:
    return as_rows(X.astype(np.float32)).read(0, len(X)).numpy()


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(2, 90),
    d=st.integers(1, 6),
    k=st.integers(1, 30),
    distinct=st.integers(1, 90),
    whole=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_same_as_sorting_everything(n: int, d: int, k: int, distinct: int, whole: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(-1, 2, size=(distinct, d)).astype(float) if whole else rng.normal(size=(distinct, d))
    X = unit(base[rng.integers(distinct, size=n)])  # duplicates, and with whole numbers ties and zero vectors
    found = nearest(X, k)
    order, values = sorted_by_hand(X, min(k, n - 1))
    np.testing.assert_allclose(found.similarities_NK, values, atol=1e-6)
    np.testing.assert_array_equal(found.indices_NK, order)
    assert found.recall == 1


def test_all_points_equal_take_the_lowest_indices_but_never_themselves() -> None:
    found = nearest(np.ones((3000, 8), dtype=np.float32), 4)
    assert found.indices_NK[0].tolist() == [1, 2, 3, 4]
    assert found.indices_NK[2].tolist() == [0, 1, 3, 4]
    assert found.indices_NK[2999].tolist() == [0, 1, 2, 3]
    assert (found.similarities_NK == found.similarities_NK[0, 0]).all()


def test_duplicates_by_the_thousand_keep_all_their_neighbors() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4, 16)).astype(np.float32)[rng.integers(4, size=4000)]
    found = nearest(X, 20)
    itself = torch.arange(4000)[:, None]
    assert not (found.indices_NK == itself).any()
    assert (found.similarities_NK > 0.999).all()
    assert (found.indices_NK.diff(dim=1) > 0).all()  # equal similarities: ascending


def test_ties_across_blocks_of_rows_and_columns_go_to_the_lowest_index(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2, size=(700, 7)).astype(np.float32)
    whole = nearest(X, 15)
    monkeypatch.setattr(exact, "COLUMNS", 64)
    monkeypatch.setattr(exact, "PRODUCTS", {"cpu": 64 * 11})
    parts = nearest(X, 15)
    assert torch.equal(whole.indices_NK, parts.indices_NK)
    assert torch.equal(whole.similarities_NK, parts.similarities_NK)


def test_memory_of_products_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = as_rows(np.random.default_rng(0).normal(size=(500, 4)))
    held = []
    plain = type(rows).similarities

    def watched(self: object, block: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        products = plain(self, block, start, stop)
        held.append(products.numel())
        return products

    monkeypatch.setattr(type(rows), "similarities", watched)
    monkeypatch.setattr(exact, "COLUMNS", 100)
    monkeypatch.setattr(exact, "PRODUCTS", {"cpu": 3000})
    nearest(rows, 5)
    assert max(held) <= 3000
    assert sum(held) >= 500 * 500


@pytest.mark.parametrize(("n", "k", "width"), [(1, 5, 0), (2, 5, 1), (6, 50, 5)])
def test_more_neighbors_than_rows_are_cut(n: int, k: int, width: int) -> None:
    found = nearest(np.random.default_rng(0).normal(size=(n, 3)), k)
    assert tuple(found.indices_NK.shape) == (n, width)


def test_queries_keep_their_equals() -> None:
    X = np.eye(5, dtype=np.float32)
    found = nearest(X, 2, queries=X[[3, 1]])
    assert found.indices_NK[:, 0].tolist() == [3, 1]
    assert found.similarities_NK[:, 0].tolist() == [1, 1]


def test_float64_keeps_what_float32_cannot_tell_apart() -> None:
    angles = np.array([0.0, 1e-5, 2e-5, 3e-5, 1.0])
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    found = nearest(X, 3)
    assert found.similarities_NK.dtype == torch.float64
    assert found.indices_NK[0].tolist() == [1, 2, 3]
    assert found.indices_NK[3].tolist() == [2, 1, 0]


def test_the_same_pair_has_the_same_similarity_from_both_ends() -> None:
    X = np.random.default_rng(3).integers(0, 3, size=(400, 9)).astype(np.float32)
    found = nearest(X, 399)
    values = torch.zeros(400, 400).scatter_(1, found.indices_NK, found.similarities_NK)
    torch.testing.assert_close(values, values.T, rtol=0, atol=1e-6)


def test_sparse_rows_give_the_answers_of_dense_ones() -> None:
    X = sparse.random_array((300, 40), density=0.15, rng=np.random.default_rng(0), format="csr")
    dense, thin = nearest(X.toarray(), 10), nearest(X, 10)
    torch.testing.assert_close(dense.similarities_NK, thin.similarities_NK)
    seen = dense.similarities_NK > 1e-6  # beyond, everything ties at 0
    assert (dense.indices_NK == thin.indices_NK)[seen].float().mean() > 0.99
    again = nearest(X, 3, queries=X.toarray()[:4])
    torch.testing.assert_close(again.similarities_NK[:, 0], torch.ones(4, dtype=torch.float64))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_finds_what_the_cpu_finds() -> None:
    X = np.random.default_rng(5).normal(size=(3000, 32)).astype(np.float32)
    X[1500:] = X[:1500]
    here, there = nearest(X, 20), nearest(X, 20, device="cuda")
    assert torch.equal(here.indices_NK, there.indices_NK.cpu())
