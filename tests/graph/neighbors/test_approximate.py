"""Search by cells against exact search: recall as measured, self left out, short rows filled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.graph.neighbors import approximate, exact, nearest


def clusters(n: int = 2500, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(30, 24))[rng.integers(30, size=n)] + 0.4 * rng.normal(size=(n, 24))).astype(dtype)


@pytest.fixture
def no_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("fell back on exact search")

    monkeypatch.setattr(exact, "search", refuse)


@pytest.mark.usefixtures("no_fallback")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_recall_is_what_it_says_and_at_least_as_wanted(dtype: type) -> None:
    X = clusters(dtype=dtype)
    found = nearest(X, 20, search="approximate")
    unit = torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True))
    truth = (unit @ unit.T).fill_diagonal_(-2).topk(20).values[:, -1:]
    recall = float((found.similarities_NK >= truth - 1e-6).double().mean())
    assert found.recall >= 0.97
    assert recall == pytest.approx(found.recall, abs=0.02)
    assert found.similarities_NK.dtype == unit.dtype
    assert not (found.indices_NK == torch.arange(len(X))[:, None]).any()
    pairs = (unit[found.indices_NK] * unit[:, None]).sum(-1)
    torch.testing.assert_close(pairs, found.similarities_NK)
    assert (found.similarities_NK.diff(dim=1) <= 0).all()


@pytest.mark.usefixtures("no_fallback")
def test_the_same_seed_gives_the_same_answer() -> None:
    X = clusters(seed=1)
    once, twice = (nearest(X, 10, search="approximate", seed=3) for _ in range(2))
    assert torch.equal(once.indices_NK, twice.indices_NK)
    assert once.recall == twice.recall


def test_structureless_vectors_are_searched_exactly_instead() -> None:
    X = np.random.default_rng(0).normal(size=(1500, 48)).astype(np.float32)
    found = nearest(X, 10, search="approximate")
    assert found.recall == 1
    assert torch.equal(found.indices_NK, nearest(X, 10, search="exact").indices_NK)


def test_rows_with_too_few_results_are_filled_by_exact_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(approximate, "RECALL", 0.0)
    X = clusters(400)
    found = nearest(X, 60, search="approximate")  # lists of about 20 rows hold no 60 neighbors
    assert (found.indices_NK >= 0).all()
    assert found.similarities_NK.isfinite().all()
    assert torch.equal(found.indices_NK, nearest(X, 60, search="exact").indices_NK)


def test_equal_neighbors_count_as_found_whichever_they_are() -> None:
    rng = np.random.default_rng(2)
    X = clusters(40, seed=2)[rng.integers(40, size=2000)]
    found = nearest(X, 10, search="approximate")
    assert found.recall > 0.99
    assert not (found.indices_NK == torch.arange(2000)[:, None]).any()


def test_queries_apart_from_the_rows() -> None:
    X = clusters()
    found = nearest(X, 5, queries=X[:50] * 3, search="approximate")
    assert tuple(found.indices_NK.shape) == (50, 5)
    assert (found.indices_NK[:, 0] == torch.arange(50)).float().mean() > 0.95


def test_sparse_rows_are_refused_with_advice() -> None:
    from scipy import sparse

    with pytest.raises(RequestError, match=r"search='approximate' works on dense vectors.*TruncatedSVD"):
        nearest(sparse.csr_array(np.eye(9)), 2, search="approximate")


def test_auto_goes_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    import labelprop.graph.neighbors as package

    X = clusters(600)
    assert nearest(X, 5).recall == 1
    monkeypatch.setattr(package, "EXACT_UP_TO", 100)
    called = []
    plain = approximate.search
    monkeypatch.setattr(approximate, "search", lambda *a, **k: called.append(1) or plain(*a, **k))
    nearest(X, 5)
    assert called


def test_unknown_backends_and_wrong_widths_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'exact'"):
        nearest(np.eye(4), 2, search="exakt")
    with pytest.raises(RequestError, match="queries have 3 columns, the rows to search have 4"):
        nearest(np.eye(4), 2, queries=np.ones((1, 3)))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_blocks_do_not_matter(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X = clusters(700)
    whole = nearest(X, 9, metric=metric, search="approximate")
    monkeypatch.setattr(approximate, "HELD", {"cpu": 2000})
    parts = nearest(X, 9, metric=metric, search="approximate")
    assert (whole.indices_NK == parts.indices_NK).float().mean() > 0.999
    torch.testing.assert_close(whole.similarities_NK, parts.similarities_NK, rtol=1e-5, atol=1e-5)


def test_the_order_holds_every_row_once_and_similar_ones_together() -> None:
    X = clusters(1500)
    X[::50] = 0
    order = nearest(X, 5, search="approximate").order_N
    assert order is not None
    assert order.sort().values.tolist() == list(range(1500))
    unit = torch.from_numpy(X / np.linalg.norm(X, axis=1, keepdims=True).clip(1e-9))[order][:1400]
    following = (unit[1:] * unit[:-1]).sum(dim=1).mean()
    assert following > 0.6


def test_blocks_side_by_side_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    X = clusters(2500)
    monkeypatch.setattr(approximate, "TOGETHER", 3)
    torch.set_num_threads(3)
    try:
        once, twice = (nearest(X, 9, search="approximate") for _ in range(2))
    finally:
        torch.set_num_threads(1)
    alone = nearest(X, 9, search="approximate")
    assert torch.equal(once.indices_NK, twice.indices_NK)
    assert torch.equal(once.similarities_NK, twice.similarities_NK)
    assert (once.indices_NK == alone.indices_NK).float().mean() > 0.999
