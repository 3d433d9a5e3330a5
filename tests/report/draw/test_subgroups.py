from __future__ import annotations

import numpy as np
import pytest

from labelprop.report.draw.subgroups import find_subgroups


def directions(sizes: list[int], noise: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centers = np.eye(16)[: len(sizes)]
    vectors = np.repeat(centers, sizes, axis=0) + noise * rng.normal(size=(sum(sizes), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("sizes", [[30, 20], [40, 25, 15, 10], [20, 19, 18, 17, 16, 15]])
def test_groups_far_apart_are_found_largest_first(sizes: list[int]) -> None:
    found = find_subgroups(directions(sizes, 0.02))
    assert found is not None
    assert found.sizes == sizes
    assert found.group_S.tolist() == np.repeat(np.arange(len(sizes)), sizes).tolist()
    assert found.silhouette > 0.8


def test_the_exemplar_is_the_row_nearest_to_the_mean_of_its_group() -> None:
    vectors = directions([30, 20], 0.1)
    found = find_subgroups(vectors)
    assert found is not None
    for group, rows in enumerate((range(30), range(30, 50))):
        near = np.argsort(-(vectors[rows] @ vectors[rows].mean(0)))
        every = np.ones(50, bool)
        assert found.exemplar(group, every) == rows[near[0]]
        every[rows[near[0]]] = False
        assert found.exemplar(group, every) == rows[near[1]], "the next one where that is not allowed"
        assert found.exemplar(group, np.zeros(50, bool)) == rows[near[0]], "though none is allowed"


def test_noise_has_a_small_silhouette_and_the_same_answer_twice() -> None:
    vectors = directions([100], 1.0)
    found, again = find_subgroups(vectors), find_subgroups(vectors)
    assert found is not None
    assert again is not None
    assert found.silhouette < 0.3
    assert found.group_S.tolist() == again.group_S.tolist()


@pytest.mark.parametrize("vectors", [directions([19], 1.0), np.tile(np.eye(3, dtype=np.float32)[0], (40, 1))])
def test_few_rows_or_equal_ones_have_no_groups(vectors: np.ndarray) -> None:
    assert find_subgroups(vectors) is None


def test_groups_have_ten_rows_on_average() -> None:
    found = find_subgroups(directions([5] * 5, 0.01))
    assert found is not None
    assert len(found.sizes) == 2, "25 rows allow two groups"
