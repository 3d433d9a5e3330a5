"""What the given labels alone say, against scikit-learn and against problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from labelprop.runs import baselines
from labelprop.runs.baselines import Features, Given, hide_labels, labels_only


def problem(n: int = 300, per_class: int = 8, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, Given]:
    """Vectors, truth and given labels of three overlapping classes."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    X = (3 * np.eye(3, 6)[truth] + spread * rng.normal(size=(n, 6))).astype(np.float32)
    labels = np.where(np.arange(n) < 3 * per_class, truth, -1)
    return X, truth, Given(labels, np.ones(n), 3)


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [1.0, 100.0])
def test_both_baselines_are_those_of_scikit_learn(strength: float) -> None:
    X, _, given = problem()
    known = given.labeled_M
    found = labels_only(Features(X, known, "cpu", "cosine"), given, strength)
    linear = LogisticRegression(C=strength, tol=1e-6, max_iter=1000).fit(unit(X)[known], given.labels_N[known])
    near = KNeighborsClassifier(1).fit(unit(X)[known], given.labels_N[known])
    assert (found.logistic_N == linear.predict(unit(X))).mean() > 0.99
    np.testing.assert_array_equal(found.nearest_N, near.predict(unit(X)))


def test_where_distances_count_features_are_standardized_not_scaled_to_length_1() -> None:
    """Two classes on one ray from the origin, in a unit a million times too large: no cosine can tell them apart."""
    radius = np.concatenate([np.linspace(1, 2, 40), np.linspace(4, 5, 40)])
    X = np.stack([radius, radius], 1).astype(np.float32) * 1e6
    truth = np.repeat([0, 1], 40)
    given = Given(np.where(np.arange(80) % 8 == 0, truth, -1), np.ones(80), 2)
    found = labels_only(Features(X, given.labeled_M, "cpu", "euclidean"), given, 100.0)
    np.testing.assert_array_equal(found.logistic_N, truth)
    np.testing.assert_array_equal(found.nearest_N, truth)


def test_weights_count_in_the_regression() -> None:
    X, _, given = problem()
    known = given.labeled_M
    weights = np.where(given.labels_N == 2, 1e-6, 1.0)
    found = labels_only(Features(X, known, "cpu", "cosine"), Given(given.labels_N, weights, 3), 1.0)
    assert (found.logistic_N == 2).mean() < 0.01


def test_one_class_needs_no_fit() -> None:
    X, _, _ = problem()
    given = Given(np.where(np.arange(300) < 4, 0, -1), np.ones(300), 1)
    found = labels_only(Features(X, given.labeled_M, "cpu", "cosine"), given, 1.0)
    assert (found.logistic_N == 0).all()
    assert hide_labels(Features(X, given.labeled_M, "cpu", "cosine"), given, None)[0] is None


def test_a_row_of_zeros_has_no_nearest_label() -> None:
    X, _, given = problem()
    X[-1] = 0
    found = labels_only(Features(X, given.labeled_M, "cpu", "cosine"), given, 1.0)
    assert found.nearest_N[-1] == -1


def test_each_given_label_is_hidden_once_and_asked_for() -> None:
    X, truth, given = problem(spread=0.01)
    hidden_rows: list[int] = []

    def refit(labels_N: np.ndarray) -> np.ndarray:
        hidden = np.flatnonzero((given.labels_N >= 0) & (labels_N < 0))
        assert set(labels_N[labels_N >= 0]) == {0, 1, 2}, "every class keeps some"
        hidden_rows.extend(hidden.tolist())
        return np.where(hidden_rows[0] == np.arange(len(truth)), truth + 1, truth)  # wrong about the first row

    found, _ = hide_labels(Features(X, given.labeled_M, "cpu", "cosine"), given, refit)
    assert sorted(hidden_rows) == list(range(24))
    assert (found.n, found.folds) == (24, 5)
    assert (found.logistic, found.nearest, found.propagated) == (24, 24, 23)


def test_nothing_is_hidden_where_a_class_has_one_label() -> None:
    X, _, given = problem()
    given.labels_N[np.flatnonzero(given.labels_N == 1)[1:]] = -1
    found, strength = hide_labels(Features(X, given.labeled_M, "cpu", "cosine"), given, None)
    assert found is None
    assert strength == baselines.USUAL_STRENGTH


def test_a_slow_propagator_is_asked_once() -> None:
    X, truth, given = problem()
    asked: list[int] = []

    def refit(labels_N: np.ndarray) -> np.ndarray:
        asked.append(len(labels_N))
        return truth

    found, _ = hide_labels(Features(X, given.labeled_M, "cpu", "cosine"), given, refit, allowed_seconds=0.0)
    assert len(asked) == 1
    assert found.propagated is None
    assert found.logistic > 12
