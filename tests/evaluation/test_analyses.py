"""The papers' analyses, by hand and on random vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from labelprop.evaluation import analyses


def unit(n: int, d: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_aggregation_of_equal_opposite_and_random_vectors() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, -1], [1, 0]], np.float32)
    found = analyses.aggregation(vectors, np.array([0, 0, 1, 1, -1]), 3)
    assert found[:2].tolist() == [1, 0]
    assert math.isnan(found[2])
    many = analyses.aggregation(unit(400, 64), np.zeros(400, int), 1)
    assert many[0] == pytest.approx(1 / 20, rel=0.3)


def test_density_of_a_class_is_the_mean_over_its_labeled_rows() -> None:
    vectors = np.array([[1, 0], [0, 1], [1, 0], [0.6, 0.8]], np.float32)
    given = np.array([0, 1, -1, -1])
    found = analyses.class_density(vectors, given, 3, n_density=1, temperature=0.5)
    assert found[:2].tolist() == pytest.approx([math.exp(2), math.exp(1.6)], rel=1e-6)
    assert math.isnan(found[2])
    both = analyses.class_density(vectors, given, 2, n_density=9, temperature=0.5)
    assert both[0] == pytest.approx(math.exp(2) + math.exp(1.2), rel=1e-6)


def test_large_sets_are_looked_at_in_parts_that_give_the_same(monkeypatch) -> None:
    vectors, codes = unit(60, 8), np.arange(60) % 3
    given = np.where(np.arange(60) < 21, codes, -1)
    whole = analyses.class_density(vectors, given, 3), analyses.nearest_neighbor_accuracy(vectors, codes)
    monkeypatch.setattr(analyses, "PRODUCTS", 100)
    parts = analyses.class_density(vectors, given, 3), analyses.nearest_neighbor_accuracy(vectors, codes)
    np.testing.assert_allclose(parts[0], whole[0], rtol=1e-6)
    assert parts[1] == whole[1]


def test_of_too_many_labeled_rows_some_of_each_class_are_measured(monkeypatch) -> None:
    vectors = np.tile(np.array([[1, 0], [0, 1]], np.float32), (20, 1))
    given = np.where(np.arange(40) < 30, np.arange(40) % 2, -1)
    whole = analyses.class_density(vectors, given, 2)
    monkeypatch.setattr(analyses, "LABELED", 4)
    np.testing.assert_allclose(analyses.class_density(vectors, given, 2), whole)


def test_counts_are_of_unlabeled_rows() -> None:
    assert analyses.assigned(np.array([0, 1, 1, -1]), np.array([0, -1, -1, -1]), 3).tolist() == [0, 2, 0]


def test_pearson_needs_three_places_and_variance() -> None:
    a = np.array([1.0, 2, 3, np.nan])
    assert analyses.pearson(a, np.array([2.0, 4, 6, 0])) == pytest.approx(1)
    assert analyses.pearson(a, np.array([1.0, 1, 1, 0])) is None
    assert analyses.pearson(a[:2], a[:2]) is None


def test_nearest_neighbor_accuracy_leaves_the_row_itself_out() -> None:
    vectors = np.array([[1, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]], np.float32)
    assert analyses.nearest_neighbor_accuracy(vectors, np.array([0, 0, 1, 0])) == 0.5
    assert analyses.nearest_neighbor_accuracy(vectors, np.array([0, -1, -1, -1])) is None


def test_certainties_of_right_and_wrong_labels() -> None:
    right, wrong = analyses.certainty_histogram(
        np.array([0.1, 0.9, 1.0, 0.9]), np.array([0, 1, 1, -1]), np.array([1, 1, -1, 0]), bins=2
    )
    assert right.tolist() == [0, 1]
    assert wrong.tolist() == [1, 0]
