"""Leading eigenpairs against dense solves: spectra of many kinds, clustered and degenerate ones among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelprop.functional import eigen
from labelprop.functional.eigen import TOLERANCE, leading_eigenpairs
from labelprop.graph.affinity import AffinityGraph


def chain(n: int) -> sparse.sparray:
    return sparse.diags_array([np.ones(n - 1)] * 2, offsets=[1, -1])


def complete(n: int) -> sparse.sparray:
    return sparse.csr_array(np.ones((n, n)) - np.eye(n))


def star(n: int) -> sparse.sparray:
    spokes = (np.ones(n - 1), (np.zeros(n - 1, dtype=int), np.arange(1, n)))
    half = sparse.coo_array(spokes, shape=(n, n))
    return half + half.T


def two_sided(n: int) -> sparse.sparray:
    w = np.zeros((n, n))
    w[: n // 2, n // 2 :] = 1
    return sparse.csr_array(w + w.T)


def ring_of_cliques(n: int, bridge: float = 1e-3) -> sparse.sparray:
    """Each clique of 20 holds on to the next by one edge; many eigenvalues are nearly equal."""
    w = sparse.lil_array(sparse.block_diag([complete(20)] * (n // 20)))
    for first in range(0, n, 20):
        after = (first + 20) % n
        w[first, after] = w[after, first] = bridge * (1 + first / n)
    return w


def neighbors(n: int) -> sparse.sparray:
    X = np.random.default_rng(0).normal(size=(n, 3))
    squared = ((X[:, None] - X[None]) ** 2).sum(axis=-1)
    np.fill_diagonal(squared, np.inf)
    reach = np.sort(squared, axis=1)[:, 7:8]
    w = np.where(squared <= np.maximum(reach, reach.T), np.exp(-squared), 0)
    return sparse.csr_array(w) + 1e-3 * chain(n)


GRAPHS: dict[str, Callable[[int], sparse.sparray]] = {
    "chain": chain,
    "complete": complete,
    "star": star,
    "two-sided": two_sided,
    "ring of cliques": ring_of_cliques,
    "neighbors": neighbors,
}


def normalized(w: sparse.sparray, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """S as a torch tensor, its known eigenvector, and S in float64."""
    graph = AffinityGraph.from_scipy(sparse.csr_array(w).astype(np.float64))
    root = graph.degree().sqrt()
    known = (root / root.norm())[:, None].to(dtype)
    dense = graph.normalized().to_scipy().toarray()
    return graph.astype(dtype).normalized().tensor, known, dense


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("count", [3, 25, 80])
@pytest.mark.parametrize("name", GRAPHS)
def test_eigenpairs_are_those_of_a_dense_solve(name: str, count: int, dtype: torch.dtype) -> None:
    matrix, known, dense = normalized(GRAPHS[name](200), dtype)
    found = leading_eigenpairs(matrix, count, known)
    assert found.residual < (TOLERANCE[dtype] if name != "ring of cliques" else 1e-4)
    slack = 2e-6 if dtype == torch.float32 else 1e-12
    wanted = np.sort(np.linalg.eigvalsh(dense))[::-1][1 : count + 1]
    np.testing.assert_allclose(found.values_R.numpy(), wanted, atol=2 * found.residual + slack)
    u = found.vectors_NR.double().numpy()
    fine = 1e-5 if dtype == torch.float32 else 1e-12
    np.testing.assert_allclose(u.T @ u, np.eye(count), atol=fine)
    np.testing.assert_allclose(known.double().numpy().T @ u, 0, atol=fine)
    true = np.linalg.norm(dense @ u - u * found.values_R.numpy(), axis=0).max()
    assert true <= found.residual + fine, "the residual is not what it says"


@settings(deadline=None, max_examples=25)
@given(n=st.integers(30, 150), share=st.floats(0.01, 1), seed=st.integers(0, 10**6))
def test_random_graphs(n: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 8 / n), 1)
    matrix, known, dense = normalized(sparse.csr_array(w + w.T) + 1e-2 * chain(n), torch.float64)
    count = max(1, int(share * (n - 1)))
    found = leading_eigenpairs(matrix, count, known)
    wanted = np.sort(np.linalg.eigvalsh(dense))[::-1][1 : count + 1]
    np.testing.assert_allclose(found.values_R.numpy(), wanted, atol=1e-9)


def test_the_same_input_gives_the_same_answer() -> None:
    matrix, known, _ = normalized(neighbors(300), torch.float32)
    first, again = (leading_eigenpairs(matrix, 20, known) for _ in range(2))
    assert torch.equal(first.vectors_NR, again.vectors_NR)


def test_passes_that_do_not_suffice_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eigen, "MAX_PASSES", 1)
    matrix, known, dense = normalized(neighbors(300), torch.float32)
    found = leading_eigenpairs(matrix, 40, known)
    assert found.vectors_NR.shape == (300, 40)
    assert found.residual > 1e-3
    u = found.vectors_NR.double().numpy()
    true = np.linalg.norm(dense @ u - u * found.values_R.numpy(), axis=0).max()
    assert true == pytest.approx(found.residual, rel=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_eigenvalues_of_the_cpu() -> None:
    matrix, known, _ = normalized(neighbors(300), torch.float64)
    here, there = (leading_eigenpairs(matrix.to(device), 40, known.to(device)) for device in ("cpu", "cuda"))
    torch.testing.assert_close(there.values_R.cpu(), here.values_R, rtol=0, atol=1e-10)
