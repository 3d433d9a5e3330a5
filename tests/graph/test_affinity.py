"""AffinityGraph against SciPy and NumPy, and its file."""

from __future__ import annotations

import errno
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from labelprop.core.errors import DataError, StorageError
from labelprop.core.types import Neighbors
from labelprop.graph.affinity import AffinityGraph, neighbor_matrix, symmetric_sum


def random_graph(n: int = 40, seed: int = 0, dtype: type = np.float32) -> AffinityGraph:
    rng = np.random.default_rng(seed)
    return symmetric_sum(sparse.random_array((n, n), density=0.1, rng=rng, format="csr", dtype=dtype))


def dense(graph: AffinityGraph) -> np.ndarray:
    return graph.to_scipy().toarray()


def test_symmetric_sum_counts_mutual_edges_twice_and_drops_the_diagonal() -> None:
    directed = sparse.csr_array(np.array([[5, 2, 0], [3, 0, 0], [0, 1, 0]], dtype=np.float32))
    assert dense(symmetric_sum(directed)).tolist() == [[0, 5, 0], [5, 0, 1], [0, 1, 0]]


def test_weights_are_float32_and_indices_int32() -> None:
    graph = random_graph()
    assert graph.weights_E.dtype == torch.float32
    assert graph.crow.dtype == graph.col.dtype == torch.int32
    assert random_graph(dtype=np.float64).weights_E.dtype == torch.float64


def test_matmul_and_degree() -> None:
    graph = random_graph(dtype=np.float64)
    x = np.random.default_rng(1).normal(size=(40, 3))
    np.testing.assert_allclose(graph.matmul(torch.from_numpy(x)), dense(graph) @ x, atol=1e-12)
    np.testing.assert_allclose(graph.degree(), dense(graph).sum(axis=1))


def test_normalized_rows_without_edges_stay_empty() -> None:
    weights = np.array([[0, 2, 0, 0], [2, 0, 8, 0], [0, 8, 0, 0], [0, 0, 0, 0]], dtype=np.float64)
    graph = AffinityGraph.from_scipy(sparse.csr_array(weights))
    degree = np.where(weights.sum(axis=1) > 0, weights.sum(axis=1), 1)
    np.testing.assert_allclose(dense(graph.normalized()), weights / np.sqrt(np.outer(degree, degree)))
    assert dense(graph).tolist() == weights.tolist(), "normalized() changed the graph itself"


def test_renumbered_is_the_same_graph_in_another_order() -> None:
    graph = random_graph(60, seed=3)
    moved, order = graph.renumbered()
    np.testing.assert_array_equal(dense(moved), dense(graph)[np.ix_(order, order)])


def test_components() -> None:
    weights = np.zeros((6, 6))
    weights[0, 3] = weights[4, 5] = 1
    found = AffinityGraph.from_scipy(sparse.csr_array(weights)).components().tolist()
    assert found[0] == found[3]
    assert found[4] == found[5]
    assert len(set(found)) == 4


def test_from_scipy_sums_duplicates_and_drops_zeros_without_touching_the_input() -> None:
    given = sparse.csr_array((np.array([1.0, 2.0, 0.0]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    graph = AffinityGraph.from_scipy(given)
    assert dense(graph).tolist() == [[0, 3], [0, 0]]
    assert graph.n_edges == 1
    assert given.data.tolist() == [1, 2, 0]


def test_neighbor_matrix_leaves_empty_places_out() -> None:
    found = Neighbors(
        torch.tensor([[2, 1], [0, -1], [-1, -1]]), torch.tensor([[0.9, 0.5], [0.4, -torch.inf], [0, 0]]), 1.0
    )
    wanted = [[0, 0.5, 0.9], [0.4, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(neighbor_matrix(found, 3).toarray(), wanted)


def test_save_and_load(tmp_path: Path) -> None:
    graph = random_graph(dtype=np.float64)
    path = graph.save(tmp_path / "graph.npz")
    again = AffinityGraph.load(path)
    np.testing.assert_array_equal(dense(again), dense(graph))
    assert again.weights_E.dtype == torch.float64
    assert [file.name for file in tmp_path.iterdir()] == ["graph.npz"]


def test_a_full_disk_leaves_the_old_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = random_graph(seed=1).save(tmp_path / "graph.npz")
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(StorageError, match=r"cannot write .*graph\.npz: No space left on device"):
        random_graph(seed=2).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [b"", b"not a graph", b"PK\x03\x04cut off", None])
def test_other_files_are_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "graph.npz"
    if content is None:
        np.savez(path, crow=np.zeros(3))
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"graph\.npz is not a graph written by AffinityGraph\.save"):
        AffinityGraph.load(path)


def test_pickling_leaves_the_cached_tensor_out() -> None:
    graph = random_graph()
    bare = len(pickle.dumps(graph))
    graph.matmul(torch.ones(40, 1))
    assert len(pickle.dumps(graph)) == bare
    np.testing.assert_array_equal(dense(pickle.loads(pickle.dumps(graph))), dense(graph))


def test_degrees_of_hubs_are_right_to_the_last_digit_of_float32() -> None:
    n = 50_000
    star = sparse.csr_array(
        (np.full(n, 0.1, np.float32), (np.zeros(n, int), np.arange(1, n + 1))), shape=(n + 1, n + 1)
    )
    assert float(symmetric_sum(star).degree()[0]) == np.float32(n * float(np.float32(0.1)))


def test_to_dense_is_a_copy_of_all_weights() -> None:
    graph = random_graph()
    filled = graph.to_dense()
    np.testing.assert_array_equal(filled, dense(graph))
    filled.zero_()
    assert graph.weights_E.all()


def test_astype_keeps_the_edges_and_rounds_the_weights() -> None:
    graph = random_graph(dtype=np.float64)
    rounded = graph.astype(torch.float32)
    assert graph.astype(torch.float64) is graph
    np.testing.assert_array_equal(dense(rounded), dense(graph).astype(np.float32))
