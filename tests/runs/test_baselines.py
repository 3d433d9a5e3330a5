"""What the given labels alone say, against scikit-learn and against problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from labelprop.data.labels.join import GivenLabels
from labelprop.propagators.choice.heads import CHOICES_OF_C, LABELS_ONLY_C
from labelprop.runs import baselines
from labelprop.runs.baselines import ScaledRows, hide_labels, labels_only


def given_labels(labels_N: np.ndarray, n_classes: int = 3, weights: np.ndarray | None = None) -> GivenLabels:
    weights = np.ones(len(labels_N)) if weights is None else weights
    return GivenLabels(tuple("abc"[:n_classes]), labels_N, weights.astype(np.float32))


def problem(n: int = 300, per_class: int = 8, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray, GivenLabels]:
    """Vectors, truth and given labels of three overlapping classes."""
    rng = np.random.default_rng(0)
    truth = np.arange(n) % 3
    X = (3 * np.eye(3, 6)[truth] + spread * rng.normal(size=(n, 6))).astype(np.float32)
    labels = np.where(np.arange(n) < 3 * per_class, truth, -1)
    return X, truth, given_labels(labels)


def unit(X: np.ndarray) -> np.ndarray:
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("strength", [1.0, 100.0])
def test_both_baselines_are_those_of_scikit_learn(strength: float) -> None:
    X, _, given = problem()
    known = given.labels_N >= 0
    found = labels_only(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, strength)
    linear = LogisticRegression(C=strength, tol=1e-6, max_iter=1000).fit(unit(X)[known], given.labels_N[known])
    near = KNeighborsClassifier(1).fit(unit(X)[known], given.labels_N[known])
    assert (found.logistic_N == linear.predict(unit(X))).mean() > 0.99
    np.testing.assert_array_equal(found.nearest_N, near.predict(unit(X)))


def test_where_distances_count_features_are_standardized_not_scaled_to_length_1() -> None:
    """Two classes on one ray from the origin, in a unit a million times too large: no cosine can tell them apart."""
    radius = np.concatenate([np.linspace(1, 2, 40), np.linspace(4, 5, 40)])
    X = np.stack([radius, radius], 1).astype(np.float32) * 1e6
    truth = np.repeat([0, 1], 40)
    given = given_labels(np.where(np.arange(80) % 8 == 0, truth, -1), 2)
    found = labels_only(ScaledRows(X, given.labels_N, "cpu", "euclidean"), given, 100.0)
    np.testing.assert_array_equal(found.logistic_N, truth)
    np.testing.assert_array_equal(found.nearest_N, truth)


def test_weights_count_in_the_regression() -> None:
    X, _, given = problem()
    weights = np.where(given.labels_N == 2, 1e-6, 1.0)
    found = labels_only(
        ScaledRows(X, given.labels_N, "cpu", "cosine"), given_labels(given.labels_N, weights=weights), 1.0
    )
    assert (found.logistic_N == 2).mean() < 0.01


def test_one_class_needs_no_fit() -> None:
    X, _, _ = problem()
    given = given_labels(np.where(np.arange(300) < 4, 0, -1), 1)
    found = labels_only(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, 1.0)
    assert (found.logistic_N == 0).all()
    assert hide_labels(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, None)[0] is None


def test_a_row_of_zeros_has_no_nearest_label() -> None:
    X, _, given = problem()
    X[-1] = 0
    found = labels_only(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, 1.0)
    assert found.nearest_N[-1] == -1


def test_each_given_label_is_hidden_once_and_asked_for() -> None:
    X, truth, given = problem(spread=0.01)
    hidden_rows: list[int] = []

    def refit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        np.testing.assert_array_equal(row_H, np.flatnonzero((given.labels_N >= 0) & (shown_N < 0)))
        assert set(shown_N[shown_N >= 0]) == {0, 1, 2}, "every class keeps some"
        hidden_rows.extend(row_H.tolist())
        return np.where(hidden_rows[0] == row_H, truth[row_H] + 1, truth[row_H])  # wrong about the first row

    found, _ = hide_labels(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, refit)
    assert sorted(hidden_rows) == list(range(24))
    assert (found.n, found.folds) == (24, 5)
    assert (found.logistic, found.nearest, found.propagated) == (24, 24, 23)


def test_nothing_is_hidden_where_a_class_has_one_label() -> None:
    X, _, given = problem()
    given.labels_N[np.flatnonzero(given.labels_N == 1)[1:]] = -1
    found, strength = hide_labels(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, None)
    assert found is None
    assert strength == LABELS_ONLY_C


def test_a_slow_propagator_is_asked_once() -> None:
    X, truth, given = problem()
    asked: list[int] = []

    def refit(shown_N: np.ndarray, row_H: np.ndarray) -> np.ndarray:
        asked.append(len(shown_N))
        return truth[row_H]

    found, _ = hide_labels(ScaledRows(X, given.labels_N, "cpu", "cosine"), given, refit, allowed_seconds=0.0)
    assert len(asked) == 1
    assert found.propagated is None
    assert found.logistic > 12


def test_c_is_chosen_only_where_fits_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    X, _, given = problem(spread=0.01)
    scaled = ScaledRows(X, given.labels_N, "cpu", "cosine")
    assert hide_labels(scaled, given, None)[1] == min(CHOICES_OF_C), "all do alike: the smoothest"
    monkeypatch.setattr(baselines, "CHOICE_SIZE", 24 * 6 * 3 - 1)
    assert hide_labels(scaled, given, None)[1] == LABELS_ONLY_C
