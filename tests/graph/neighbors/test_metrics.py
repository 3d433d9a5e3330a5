"""All metrics and backends against dense float64 similarities: ties, duplicates, zero vectors, small distances."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelprop.core.errors import DataError
from labelprop.core.types import Neighbors
from labelprop.graph.neighbors import exact, nearest
from labelprop.graph.neighbors.rows import as_rows

METRICS = ("cosine", "euclidean", "inner")


def similarities(rows: np.ndarray, queries: np.ndarray | None, metric: str) -> np.ndarray:
    """All of them (M, N) in float64, rounded to the type of the rows; -inf where there can be no neighbor."""
    left, right = (rows if queries is None else queries).astype(np.float64), rows.astype(np.float64)
    if metric == "euclidean":
        values = np.stack([-np.square(row - right).sum(axis=1) for row in left])
    else:
        values = left @ right.T
    if metric == "cosine":
        lengths = np.outer(np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1))
        values = np.where(lengths > 0, values / np.where(lengths > 0, lengths, 1), -np.inf)
    if queries is None:
        np.fill_diagonal(values, -np.inf)
    return values.astype(rows.dtype)


def agrees(found: Neighbors, values: np.ndarray, k: int, exclude_self: bool) -> None:
    """Values as by sorting everything, indices that have them, and ties by index where values are exact (distances,
    products of whole numbers); cosines that are equal on paper differ by rounding."""
    k = min(k, values.shape[1] - exclude_self)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(values, order, axis=1)
    indices, got = found.indices_NK.numpy(), found.similarities_NK.numpy()
    there = np.isfinite(best)
    np.testing.assert_array_equal(indices == -1, ~there)
    np.testing.assert_array_equal(got == -np.inf, ~there)
    np.testing.assert_allclose(got[there], best[there], rtol=1e-5, atol=1e-6)
    of_found = np.take_along_axis(values, np.maximum(indices, 0), axis=1)
    np.testing.assert_allclose(of_found[there], best[there], rtol=1e-5, atol=1e-6)
    assert all(len(set(row[row >= 0])) == (row >= 0).sum() for row in indices)
    tied = (got[:, :-1] == got[:, 1:]) & there[:, 1:]
    assert (indices[:, :-1] < indices[:, 1:])[tied].all()
    if (values[np.isfinite(values)] % 1 == 0).all():
        np.testing.assert_array_equal(indices, np.where(there, order, -1))


@settings(deadline=None, max_examples=60)
@given(
    metric=st.sampled_from(METRICS),
    n=st.integers(1, 70),
    m=st.integers(0, 5),
    d=st.integers(1, 6),
    k=st.integers(1, 80),
    distinct=st.integers(1, 70),
    zeros=st.integers(0, 70),
    whole=st.booleans(),
    double=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_same_as_sorting_everything(
    metric: str,
    n: int,
    m: int,
    d: int,
    k: int,
    distinct: int,
    zeros: int,
    whole: bool,
    double: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(-2, 3, size=(distinct, d)) if whole else rng.normal(size=(distinct, d))
    X = base.astype(np.float64 if double else np.float32)[rng.integers(distinct, size=n)]
    X[:zeros][rng.random(len(X[:zeros])) < 0.5] = 0
    queries = None if m == 0 else X[rng.integers(n, size=m)]
    for rows in (X, sparse.csr_array(X)):
        found = nearest(rows, k, queries=queries, metric=metric, search="exact")
        agrees(found, similarities(X, queries, metric), k, queries is None)
        assert found.recall == 1


def clusters(n: int, seed: int = 0, d: int = 24) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(30, d))[rng.integers(30, size=n)] + 0.4 * rng.normal(size=(n, d))).astype(np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_approximate_search_finds_what_it_says_under_every_metric(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "search", None)  # no falling back
    X = clusters(1500)
    X[::100] = 0
    found = nearest(X, 20, metric=metric, search="approximate")
    values = similarities(X, None, metric)
    got, indices = found.similarities_NK.numpy(), found.indices_NK.numpy()
    there = indices >= 0
    assert found.recall >= 0.97
    assert (got >= -np.sort(-values, axis=1)[:, 19:20] - 1e-4).mean() >= 0.97
    np.testing.assert_allclose(got[there], np.take_along_axis(values, indices, axis=1)[there], rtol=1e-4, atol=1e-5)
    if metric == "cosine":
        assert (found.indices_NK[::100] == -1).all()
        assert not np.isin(indices, np.arange(0, 1500, 100)).any()
    queried = nearest(X, 3, queries=X[100:110], metric=metric, search="approximate")
    if metric == "cosine":
        assert (queried.indices_NK[0] == -1).all()
    else:
        assert (queried.similarities_NK[0] == 0).all()  # which of the many equal ones is found is not said
    if metric == "euclidean":
        assert np.isin(queried.indices_NK[0], np.arange(0, 1500, 100)).all()
        assert queried.indices_NK[1:, 0].tolist() == list(range(101, 110))
        assert (queried.similarities_NK[:, 0] == 0).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("form", ["tensor", "mapped", "half", "sparse"])
def test_storage_does_not_matter(metric: str, form: str, tmp_path: Path) -> None:
    X = np.random.default_rng(0).integers(-3, 4, size=(200, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", X)
    forms: dict[str, Any] = {
        "tensor": torch.from_numpy(X),
        "mapped": np.load(tmp_path / "x.npy", mmap_mode="r"),
        "half": X.astype(np.float16),
        "sparse": sparse.csr_array(X),
    }
    agrees(nearest(forms[form], 9, metric=metric), similarities(X, None, metric), 9, True)
    wanted = similarities(X, X[:7], metric)
    for queries in (X[:7], sparse.csr_array(X[:7]), torch.from_numpy(X[:7]), as_rows(X[:7], metric=metric)):
        agrees(nearest(forms[form], 9, queries=queries, metric=metric), wanted, 9, False)


@pytest.mark.parametrize("search", ["exact", "approximate"])
@pytest.mark.parametrize("offset", [0, 300, 1e5])
def test_small_distances_far_from_the_origin_are_not_lost(search: str, offset: float) -> None:
    """Tight groups far apart: |x|^2 is 10^12 times the squared distances that matter."""
    rng = np.random.default_rng(1)
    X = (offset * rng.normal(size=(20, 16))[rng.integers(20, size=1500)] + rng.normal(size=(1500, 16))).astype(
        np.float32
    )
    found = nearest(X, 10, metric="euclidean", search=search)
    values, indices = similarities(X, None, "euclidean"), found.indices_NK.numpy()
    assert (found.similarities_NK.numpy() >= -np.sort(-values, axis=1)[:, 9:10]).mean() > 0.97
    if search == "exact":
        assert (indices == np.argsort(-values, axis=1, kind="stable")[:, :10]).mean() > 0.999
    np.testing.assert_allclose(found.similarities_NK, np.take_along_axis(values, indices, axis=1), rtol=1e-5)


def test_tiny_groups_near_the_origin_beside_a_far_one() -> None:
    rng = np.random.default_rng(2)
    X = np.concatenate([1e-3 * rng.normal(size=(150, 4)), 1e4 + rng.normal(size=(150, 4))]).astype(np.float32)
    values = similarities(X, None, "euclidean")
    for rows in (X, sparse.csr_array(X)):
        found = nearest(rows, 7, metric="euclidean")
        agrees(found, values, 7, True)
        np.testing.assert_allclose(found.similarities_NK, -np.sort(-values, axis=1)[:, :7], rtol=1e-5, atol=0)


@pytest.mark.parametrize("search", ["exact", "approximate"])
def test_duplicates_by_the_thousand_are_at_distance_0(search: str) -> None:
    rng = np.random.default_rng(0)
    X = (100 + rng.normal(size=(4, 16))).astype(np.float32)[rng.integers(4, size=4000)]
    found = nearest(X, 20, metric="euclidean", search=search)
    assert (found.similarities_NK == 0).all()
    assert not (found.indices_NK == torch.arange(4000)[:, None]).any()
    assert (found.indices_NK.diff(dim=1) > 0).all()


@pytest.mark.parametrize("search", ["exact", "approximate"])
def test_zero_vectors_have_no_neighbors_and_are_nobodys(search: str) -> None:
    X = clusters(3000)
    zero = np.random.default_rng(0).permutation(3000)[:2000]
    X[zero] = 0
    found = nearest(X, 20, search=search)
    assert (found.indices_NK[zero] == -1).all()
    assert (found.similarities_NK[zero] == -torch.inf).all()
    rest = np.setdiff1d(np.arange(3000), zero)
    assert np.isin(found.indices_NK[rest], rest).all()
    alone = nearest(np.zeros((40, 3)), 5, search=search)
    assert (alone.indices_NK == -1).all()
    few = nearest(np.concatenate([np.zeros((30, 2)), [[1, 0], [1, 1], [0, 2]]]), 5, search=search)
    assert few.indices_NK[30].tolist() == [31, 32, -1, -1, -1]
    assert few.similarities_NK[30, 2:].tolist() == [-torch.inf] * 3


def test_huge_distances_stay_finite() -> None:
    X = np.array([[3e38, 0], [-3e38, 0], [0, 1]], dtype=np.float32)
    found = nearest(X, 2, metric="euclidean")
    assert found.similarities_NK.isfinite().all()
    assert found.indices_NK.tolist() == [[1, 2], [0, 2], [0, 1]]  # all beyond the largest number: by index


@pytest.mark.parametrize("metric", METRICS)
def test_bad_rows_are_named_under_every_metric(metric: str) -> None:
    X = np.ones((9, 3))
    X[[4, 7], 1] = np.nan
    for rows in (X, sparse.csr_array(X)):
        with pytest.raises(DataError, match="row 4 of the features holds NaN"):
            nearest(rows, 2, metric=metric)


def test_inner_products_prefer_long_vectors() -> None:
    X = np.array([[1.0, 0], [5.0, 1], [0, 2.0], [-1, 0]])
    found = nearest(X, 2, queries=np.array([[2.0, 0]]), metric="inner")
    assert found.indices_NK.tolist() == [[1, 0]]
    assert found.similarities_NK.tolist() == [[10, 2]]
