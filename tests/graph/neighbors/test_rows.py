"""Rows of every storage: unit length, kept precision, bad rows named, files never read whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from labelprop.core.errors import DataError, RequestError
from labelprop.graph.neighbors import rows as rows_module
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import DenseRows, as_rows
from labelprop.graph.neighbors.sparse_rows import SparseRows


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.float64, torch.float64),
        (np.float32, torch.float32),
        (np.float16, torch.float32),
        (np.int64, torch.float32),
        (np.uint8, torch.float32),
    ],
)
def test_precision(given: type, wanted: torch.dtype) -> None:
    found = as_rows(np.array([[3, 4], [0, 2]], dtype=given))
    assert found.dtype == wanted
    torch.testing.assert_close(found.read(0, 2), torch.tensor([[0.6, 0.8], [0, 1]], dtype=wanted))


def test_bfloat16_tensors_become_float32() -> None:
    assert as_rows(torch.ones(2, 2, dtype=torch.bfloat16)).dtype == torch.float32


def test_zero_rows_stay_zero_and_huge_and_tiny_ones_keep_their_direction() -> None:
    X = np.array([[0, 0], [3e38, 3e38], [1e-40, 0], [-3e-30, 4e-30]], dtype=np.float32)
    half = 0.5**0.5
    wanted = torch.tensor([[0, 0], [half, half], [1, 0], [-0.6, 0.8]])
    torch.testing.assert_close(as_rows(X).read(0, 4), wanted)
    torch.testing.assert_close(torch.from_numpy(as_rows(sparse.csr_array(X)).read(0, 4).toarray()), wanted)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
@pytest.mark.parametrize("form", ["array", "tensor", "sparse", "mapped"])
def test_the_first_bad_row_is_named(value: float, word: str, form: str, tmp_path: Path) -> None:
    X = np.ones((9, 3), dtype=np.float32)
    X[[4, 7], 1] = value
    np.save(tmp_path / "x.npy", X)
    forms = {
        "array": X,
        "tensor": torch.from_numpy(X),
        "sparse": sparse.csr_array(X),
        "mapped": np.load(tmp_path / "x.npy", mmap_mode="r"),
    }
    with pytest.raises(DataError, match=f"row 4 of the features holds {word}"):
        as_rows(forms[form])


def test_mapped_files_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float16)
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(rows_module.spans, "__defaults__", (160,))
    sizes = []
    plain = DenseRows._convert

    def watched(self: DenseRows, block: np.ndarray) -> torch.Tensor:
        sizes.append(len(block))
        return plain(self, block)

    monkeypatch.setattr(DenseRows, "_convert", watched)
    mapped = as_rows(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert max(sizes) == 20
    resident = as_rows(X)
    torch.testing.assert_close(mapped.read(100, 110), resident.read(100, 110))
    torch.testing.assert_close(mapped.take(torch.tensor([7, 3])), resident.take(torch.tensor([7, 3])))
    sizes.clear()
    some = mapped.subset(torch.arange(299, -1, -3))
    torch.testing.assert_close(some.read(1, 4), resident.take(torch.tensor([296, 293, 290])))
    assert sum(sizes) <= 6


@pytest.mark.parametrize("form", ["array", "tensor", "sparse", "mapped"])
def test_a_subset_is_those_rows(form: str, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(20, 3)) * (np.arange(20) % 5 > 0)[:, None]
    np.save(tmp_path / "x.npy", X)
    forms = {
        "array": X,
        "tensor": torch.from_numpy(X),
        "sparse": sparse.csr_array(X),
        "mapped": np.load(tmp_path / "x.npy", mmap_mode="r"),
    }
    chosen = torch.tensor([15, 4, 4, 19, 0])
    for metric in ("cosine", "euclidean", "inner"):
        rows, whole = as_rows(forms[form], metric=metric), as_rows(X, metric=metric)
        some = rows.subset(torch.arange(19, -1, -1)).subset(19 - chosen)
        assert some.n == 5
        assert some.zero_N.tolist() == [metric == "cosine", False, False, False, metric == "cosine"]
        torch.testing.assert_close(_tensor(some.read(1, 5)), whole.take(chosen[1:]))
        torch.testing.assert_close(_tensor(some.take(torch.tensor([3, 0]))), whole.take(chosen[[3, 0]]))
        block = whole.take(chosen)
        wanted = whole.similarities(block, 0, 20)[:, chosen]
        torch.testing.assert_close(some.similarities(some.read(0, 5), 0, 5), wanted)


def _tensor(block: torch.Tensor | sparse.csr_array) -> torch.Tensor:
    return block if isinstance(block, torch.Tensor) else torch.from_numpy(block.toarray())


def test_rows_are_not_copied() -> None:
    X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    rows = as_rows(X, metric="inner")
    X[4] = 7
    assert rows.read(4, 5).tolist() == [[7, 7, 7]]


def test_other_metrics_read_rows_as_they_are_and_have_no_zero_rows() -> None:
    X = np.array([[3.0, 4.0], [0, 0]])
    for metric in ("euclidean", "inner"):
        rows = as_rows(X, metric=metric)
        assert rows.read(0, 2).tolist() == X.tolist()
        assert not rows.zero_N.any()
        assert as_rows(rows, metric=metric) is rows
        with pytest.raises(RequestError, match=f"read for metric='{metric}', not 'cosine'"):
            as_rows(rows)
    assert as_rows(X).zero_N.tolist() == [False, True]
    with pytest.raises(RequestError, match=r"metric='manhattan'.*cosine, euclidean, inner"):
        as_rows(X, metric="manhattan")


def test_read_only_arrays_are_taken_and_left_alone() -> None:
    X = np.full((2, 2), 2.0)
    X.flags.writeable = False
    assert as_rows(X).read(0, 1).tolist() == [[pytest.approx(0.5**0.5)] * 2]
    assert (X == 2).all()


def test_pairs_do_not_depend_on_place_or_order() -> None:
    X = np.random.default_rng(0).normal(size=(50, 33)).astype(np.float32)
    X[30] = X[4]
    found = as_rows(X)
    one = found.pairs(found.read(4, 5), torch.tensor([[17, 30]]))
    other = found.pairs(found.read(17, 18), torch.tensor([[9, 4, 30]]))
    assert one[0, 0] == other[0, 1] == other[0, 2]


def test_keys_are_equal_for_equal_rows_only() -> None:
    for X in (np.array([[1.0, 0], [2.0, 0], [0, 1.0]]), sparse.csr_array([[1.0, 0], [2.0, 0], [0, 1.0]])):
        found = as_rows(X)
        first, second, third = found.keys(found.read(0, 3))
        assert first == second != third


def test_sparse_features_never_become_dense() -> None:
    found = as_rows(sparse.csr_array(([1.0, 2.0], ([0, 1], [5, 9_999_999])), shape=(2, 10_000_000)))
    assert isinstance(found, SparseRows)
    assert found.similarities(found.read(0, 2), 0, 2).tolist() == [[1, 0], [0, 1]]


def test_spans_cover_everything_once() -> None:
    assert list(spans(5, 10, budget=20)) == [(0, 2), (2, 4), (4, 5)]
    assert list(spans(2, 100, budget=20)) == [(0, 1), (1, 2)]
    assert list(spans(0, 10)) == []
