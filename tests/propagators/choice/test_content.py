"""Keys of rows: equal for equal rows wherever they stand and however they are stored, else different."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from labelprop.propagators.choice import content
from labelprop.propagators.choice.content import content_keys
from labelprop.propagators.choice.hidden import HiddenLabels
from labelprop.propagators.estimator.edges import Edges

X = np.random.default_rng(0).integers(-2, 3, size=(200, 9)).astype(np.float32)


@pytest.mark.parametrize("form", [np.asarray, torch.tensor, sparse.csr_array, np.float16, np.float64])
def test_keys_follow_the_rows(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = content_keys(form(X))
    assert len(set(keys.tolist())) == len(np.unique(X, axis=0))
    order = np.random.default_rng(1).permutation(200)
    monkeypatch.setattr(content, "BLOCK_ELEMENTS", 64)
    np.testing.assert_array_equal(content_keys(form(X[order])), keys[order])


def test_dense_and_other_types_of_the_same_numbers_agree() -> None:
    keys = content_keys(X)
    for other in (torch.from_numpy(X), X.astype(np.float64), X.astype(np.int64)):
        np.testing.assert_array_equal(content_keys(other), keys)


def test_rows_of_a_graph_are_known_by_their_values_since_columns_are_places() -> None:
    values = sparse.random_array((50, 50), density=0.2, rng=np.random.default_rng(0), format="csr")
    order = np.random.default_rng(1).permutation(50)
    moved = sparse.csr_array(values[order][:, order])
    keys = content_keys(Edges(values, "weight"))
    np.testing.assert_array_equal(content_keys(Edges(moved, "weight")), keys[order])
    assert len(set(keys.tolist())) == 50


def test_folds_do_not_depend_on_the_order_of_rows_and_leave_every_class_a_label() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(120, 3))
    labels = np.where(rng.random(120) < 0.6, rng.integers(7, size=120), -1)
    labels[labels == 6] = -1
    labels[:3] = 6, 5, 5
    folds = HiddenLabels.by_content(labels, 5, content_keys(X)).folds
    order = rng.permutation(120)
    moved = HiddenLabels.by_content(labels[order], 5, content_keys(X[order])).folds
    for fold, other in zip(folds, moved, strict=True):
        assert set(fold.tolist()) == set(order[other].tolist())
        left = np.delete(labels, fold)
        assert set(left[left >= 0].tolist()) == set(range(7))
    hidden = np.concatenate(folds)
    assert len(set(hidden.tolist())) == len(hidden) == (labels >= 0).sum() - 1
    assert 0 not in hidden, "the only label of a class is never hidden"
    assert max(map(len, folds)) - min(map(len, folds)) <= 1
