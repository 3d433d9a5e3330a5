"""Heads: scikit-learn's logistic regression is the oracle; soft targets are rows repeated once for each class."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from labelprop.core.types import Propagation
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice import heads
from labelprop.propagators.choice.heads import Head, label_all, labels_only_head, soft_head
from labelprop.propagators.estimator import top_classes as wide

N_CLASSES = 3


def problem(n: int = 90, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % N_CLASSES
    return 2 * np.eye(N_CLASSES, d)[truth] + rng.normal(size=(n, d)), truth


def first_labeled(truth: np.ndarray, count: int = 30) -> torch.Tensor:
    return torch.from_numpy(np.where(np.arange(len(truth)) < count, truth, -1))


def unit(X: np.ndarray) -> np.ndarray:
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))


def proba(head: Head, rows: Rows) -> np.ndarray:
    return torch.cat(list(head.predict(rows))).numpy()


def reference(X: np.ndarray, shares_NC: np.ndarray, weights_N: np.ndarray, C: float) -> np.ndarray:
    """The same fit with each row once for each class, weighted by the class's share; weights of mean 1 by row."""
    rows, classes = np.repeat(np.arange(len(X)), N_CLASSES), np.tile(np.arange(N_CLASSES), len(X))
    weights = ((weights_N / weights_N.mean())[:, None] * shares_NC).ravel()
    fit = LogisticRegression(C=C, tol=1e-12, max_iter=10_000)
    return np.asarray(fit.fit(unit(X)[rows], classes, sample_weight=weights).predict_proba(unit(X)))


def propagation(shares_NC: np.ndarray, certainty_N: np.ndarray) -> Propagation:
    shares, certainty = torch.from_numpy(shares_NC), torch.from_numpy(certainty_N)
    weights = torch.ones(shares.shape[1])
    return Propagation(shares, shares, shares.argmax(dim=1), certainty, certainty > 0, weights, 0, 0.0, True)


@pytest.fixture(autouse=True)
def converged(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many steps as it takes, to compare with another solver."""
    monkeypatch.setattr(heads, "SOFT_STEPS", 500)
    monkeypatch.setattr(heads, "LABELS_ONLY_STEPS", 500)
    monkeypatch.setattr(heads, "GRADIENT_TOLERANCE", 1e-9)
    monkeypatch.setattr(heads, "LOSS_TOLERANCE", 1e-15)


def forms(X: np.ndarray, folder: Path) -> dict[str, Any]:
    np.save(folder / "X.npy", X)
    return {"array": X, "csr": sparse.csr_array(X), "memmap": np.load(folder / "X.npy", mmap_mode="r")}


@pytest.mark.parametrize("form", ["array", "csr", "memmap"])
def test_labels_only_is_the_logistic_regression_of_scikit_learn(form: str, tmp_path: Path) -> None:
    X, truth = problem()
    rows = as_rows(forms(X, tmp_path)[form])
    found = proba(labels_only_head(rows, Seeds.hard(first_labeled(truth), N_CLASSES), C=10), rows)
    wanted = LogisticRegression(C=10, tol=1e-12, max_iter=10_000).fit(unit(X)[:30], truth[:30])
    np.testing.assert_allclose(found, wanted.predict_proba(unit(X)), atol=1e-4)


def test_weights_of_seeds_count_and_their_scale_does_not() -> None:
    X, truth = problem()
    weights = torch.linspace(1, 3, 90, dtype=torch.float64)
    rows, labels = as_rows(X), first_labeled(truth)
    found, scaled = (
        proba(labels_only_head(rows, Seeds.hard(labels, N_CLASSES, factor * weights), C=10), rows)
        for factor in (1, 7)
    )
    wanted = LogisticRegression(C=10, tol=1e-12, max_iter=10_000)
    wanted.fit(unit(X)[:30], truth[:30], sample_weight=(weights[:30] / weights[:30].mean()).numpy())
    np.testing.assert_allclose(found, wanted.predict_proba(unit(X)), atol=1e-4)
    np.testing.assert_allclose(scaled, found, atol=1e-4)


def test_soft_seeds_are_learned_by_their_shares() -> None:
    X, _ = problem(n=30)
    soft = np.random.default_rng(1).dirichlet(np.ones(N_CLASSES), 30)
    rows = as_rows(X)
    found = proba(labels_only_head(rows, Seeds.soft(torch.from_numpy(5 * soft)), C=10), rows)
    np.testing.assert_allclose(found, reference(X, soft, np.ones(30), 10), atol=1e-4)


def test_the_soft_head_weighs_propagated_rows_by_certainty_and_takes_seeds_as_given() -> None:
    X, truth = problem()
    rng = np.random.default_rng(1)
    shares, certainty = rng.dirichlet(np.ones(N_CLASSES), 90), rng.uniform(0.1, 1, 90)
    certainty[:6] = 1
    rows, seeds = as_rows(X), Seeds.hard(first_labeled(truth, 6), N_CLASSES)
    found = proba(soft_head(rows, propagation(shares, certainty), seeds, C=10), rows)
    shares[:6] = np.eye(N_CLASSES)[truth[:6]]
    np.testing.assert_allclose(found, reference(X, shares, certainty, 10), atol=1e-4)


def test_rows_without_certainty_teach_nothing() -> None:
    X, truth = problem()
    shares, certainty = np.eye(N_CLASSES)[truth], np.where(np.arange(90) < 60, 0.5, 0.0)
    seeds, rows = Seeds.hard(first_labeled(truth, 6), N_CLASSES), as_rows(X)
    wanted = soft_head(rows, propagation(shares, np.ones(90)), seeds, places_M=torch.arange(60))
    shares[60:] = np.roll(shares[60:], 1, axis=1)
    found = soft_head(rows, propagation(shares, certainty), seeds)
    np.testing.assert_allclose(found.weights_DC, wanted.weights_DC, atol=1e-4)
    misled = soft_head(rows, propagation(shares, np.ones(90)), seeds)
    assert not np.allclose(misled.weights_DC, wanted.weights_DC, atol=0.1)


@pytest.mark.parametrize("form", ["array", "csr", "memmap"])
def test_blocks_add_up(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, truth = problem()
    rows, seeds = as_rows(forms(X, tmp_path)[form]), Seeds.hard(first_labeled(truth), N_CLASSES)
    found = propagation(np.full((90, N_CLASSES), 1 / 3), np.ones(90))
    whole = [labels_only_head(rows, seeds), soft_head(rows, found, seeds)]
    monkeypatch.setattr(heads, "BLOCK_ELEMENTS", 7 * (8 + N_CLASSES))
    sizes: list[int] = []
    read = type(rows).read
    monkeypatch.setattr(type(rows), "read", lambda self, a, b: sizes.append(b - a) or read(self, a, b))
    parts = [labels_only_head(rows, seeds), soft_head(rows, found, seeds)]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.weights_DC, other.weights_DC, atol=1e-6)
    np.testing.assert_allclose(proba(whole[0], rows), proba(parts[0], rows), atol=1e-6)
    assert max(sizes) == 7, "more rows were read at once than a block holds"


def test_csr_features_are_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    X, truth = problem()
    rows, seeds = as_rows(sparse.csr_array(X)), Seeds.hard(first_labeled(truth), N_CLASSES)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("made dense")

    monkeypatch.setattr(sparse.csr_array, "toarray", refuse)
    monkeypatch.setattr(sparse.csr_array, "todense", refuse)
    found = propagation(np.full((90, N_CLASSES), 1 / 3), np.ones(90))
    for head in (labels_only_head(rows, seeds), soft_head(rows, found, seeds)):
        assert proba(head, rows).shape == (90, N_CLASSES)


def test_float32_stays_and_pickling_keeps_predictions() -> None:
    X, truth = problem()
    rows = as_rows(X.astype(np.float32))
    head = labels_only_head(rows, Seeds.hard(first_labeled(truth), N_CLASSES))
    assert head.weights_DC.dtype == torch.float32
    np.testing.assert_array_equal(proba(pickle.loads(pickle.dumps(head)), rows), proba(head, rows))


def test_all_rows_are_labeled_and_wide_results_keep_the_best_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    X, truth = problem()
    X[50] = 0  # nothing is known of it but how frequent classes are
    held = np.flatnonzero(np.arange(len(X)) != 50)
    rows, seeds = as_rows(X), Seeds.hard(first_labeled(truth), N_CLASSES)
    head = labels_only_head(rows, seeds)
    full = label_all(head, rows, seeds)
    shares = proba(head, rows)
    np.testing.assert_array_equal(full.reached_N.nonzero().squeeze(1), held)
    assert (full.labels_N[50], full.certainty_N[50]) == (-1, 0)
    np.testing.assert_array_equal(full.labels_N[:30], truth[:30])
    free = held[held >= 30]
    np.testing.assert_array_equal(full.labels_N[free], shares[free].argmax(axis=1))
    np.testing.assert_allclose(full.certainty_N[free], shares[free].max(axis=1))
    monkeypatch.setattr(wide, "DENSE_LIMIT", 90)
    narrow = label_all(head, rows, seeds, top=2)
    assert narrow.distributions_NC.layout is torch.sparse_csr
    best = -np.sort(-shares, axis=1)[:, :2]
    kept = narrow.distributions_NC.to_dense().sort(dim=1, descending=True).values[:, :2]
    np.testing.assert_allclose(kept[held], (best / best.sum(axis=1, keepdims=True))[held], rtol=1e-6)
    np.testing.assert_allclose(narrow.certainty_N, full.certainty_N)
