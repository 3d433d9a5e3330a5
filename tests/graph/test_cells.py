"""Cells follow the graph: they stay in its components, cover them, and keep tight groups whole."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.cells import Cells


def random_graph(n: int, seed: int, n_parts: int = 1, density: float = 0.1) -> tuple[AffinityGraph, np.ndarray]:
    """A graph of several parts without edges between them, and the part of each row."""
    rng = np.random.default_rng(seed)
    part = rng.integers(n_parts, size=n)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < density) * (part[:, None] == part), 1)
    return AffinityGraph.from_scipy(sparse.csr_array(w + w.T)), part


def grown(graph: AffinityGraph, n_cells: int) -> tuple[Cells, np.ndarray]:
    degree = graph.degree().numpy()
    return Cells.grown(graph.normalized(), degree, n_cells), degree


@settings(deadline=None, max_examples=40)
@given(n=st.integers(1, 120), n_cells=st.integers(1, 130), n_parts=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_cells_stay_inside_components_and_columns_have_length_one(
    n: int, n_cells: int, n_parts: int, seed: int
) -> None:
    graph, part = random_graph(n, seed, n_parts)
    cells, degree = grown(graph, n_cells)
    v = cells.matrix(np.float64).toarray()
    assert v.shape[0] == n
    assert v.shape[1] <= min(2 * n_cells, n)
    lengths = np.linalg.norm(v, axis=0)
    assert np.all(np.isclose(lengths, 1) | (lengths == 0))
    for column in v.T:
        assert len(set(part[column > 0])) <= 1
    component = graph.components().numpy()
    covered = cells.entry_N > 0
    np.testing.assert_allclose(cells.entry_N[covered] ** 2 * cells.volume_G[cells.cell_N[covered]], degree[covered])
    for number in np.unique(component[covered]):
        assert covered[(component == number) & (degree > 0)].all()


def whole(block: sparse.csr_array) -> sparse.csr_array:
    return block


def test_merged_weights_are_the_product_with_the_columns() -> None:
    graph, _ = random_graph(90, 3, 2)
    cells, _ = grown(graph, 12)
    weights = graph.normalized().to_scipy()
    found = sparse.vstack(list(cells.merged(weights, np.arange(90), np.float64, whole)))
    np.testing.assert_allclose(found.toarray(), weights.toarray() @ cells.matrix(np.float64).toarray(), atol=1e-12)


def test_a_hand_drawn_chain() -> None:
    """Pairs of heavy edges on a chain of light ones: with a root in each pair the pairs are the cells."""
    w = np.zeros((6, 6))
    for left, right, weight in ((0, 1, 9.0), (2, 3, 9.0), (4, 5, 9.0), (1, 2, 0.1), (3, 4, 0.1)):
        w[left, right] = w[right, left] = weight
    graph = AffinityGraph.from_scipy(sparse.csr_array(w))
    roots = Cells.of(np.array([0, -1, 1, -1, 2, -1]), w.sum(axis=1), 3)
    best = np.concatenate(
        [
            np.asarray(block.argmax(axis=1))
            for block in roots.merged(graph.to_scipy(), np.arange(6), np.float64, whole)
        ]
    )
    np.testing.assert_array_equal(best[[1, 3, 5]], [0, 1, 2])


def test_every_group_has_cells_of_its_own() -> None:
    """Thirty rings of 40 rows, each linked to the next by a weak edge; of 60 roots at first some rings have none."""
    n_groups, size = 30, 40
    group = np.arange(n_groups * size) // size
    w = np.zeros((len(group), len(group)))
    for step in (1, 2):
        ahead = group * size + (np.arange(len(group)) + step) % size
        w[np.arange(len(group)), ahead] = 1.0
    ends = np.arange(size - 1, len(group) - 1, size)
    w[ends, ends + 1] = 0.01
    cells, _ = grown(AffinityGraph.from_scipy(sparse.csr_array(np.maximum(w, w.T))), 2 * n_groups)
    inside = [set(group[cells.cell_N == number]) for number in range(len(cells.volume_G))]
    assert {next(iter(groups)) for groups in inside if len(groups) == 1} == set(range(n_groups))


def test_the_same_graph_has_the_same_cells() -> None:
    graph, _ = random_graph(100, 1)
    np.testing.assert_array_equal(grown(graph, 9)[0].cell_N, grown(graph, 9)[0].cell_N)


def test_rows_without_edges_are_in_no_cell() -> None:
    w = np.zeros((5, 5))
    w[0, 1] = w[1, 0] = 1
    cells, _ = grown(AffinityGraph.from_scipy(sparse.csr_array(w)), 5)
    np.testing.assert_array_equal(cells.entry_N[2:], 0)
