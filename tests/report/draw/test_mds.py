"""Layouts in the plane against places that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from sklearn.manifold import smacof

from labelprop.report.draw.mds import aligned, lay_out, lay_out_in_turn
from labelprop.report.draw.projection import principal_plane


def turned(places_N2: np.ndarray, angle: float, mirror: bool) -> np.ndarray:
    turn_22 = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return places_N2 @ turn_22 * ([1, -1] if mirror else [1, 1])


def test_points_of_a_plane_in_space_are_found_again() -> None:
    rng = np.random.default_rng(0)
    plane_N2 = rng.normal(size=(40, 2))
    axes_2D = np.linalg.qr(rng.normal(size=(7, 2)))[0].T
    found = lay_out(plane_N2 @ axes_2D + 3)
    assert found.stress < 1e-6
    assert np.allclose(aligned(found.places_N2, plane_N2), plane_N2 - plane_N2.mean(0), atol=1e-6)


@pytest.mark.parametrize("mirror", [False, True])
def test_alignment_undoes_a_turn_and_a_mirror_but_not_a_scale(mirror: bool) -> None:
    places_N2 = np.random.default_rng(1).normal(size=(30, 2))
    found_N2 = aligned(2 * turned(places_N2, 2.1, mirror) + 5, places_N2)
    assert np.allclose(found_N2, 2 * (places_N2 - places_N2.mean(0)))


def test_stress_is_that_of_the_places_and_no_worse_than_the_best_of_random_starts() -> None:
    rng = np.random.default_rng(2)
    vectors_ND = rng.normal(size=(60, 6)) + 3 * rng.normal(size=(4, 6))[np.arange(60) % 4]
    found = lay_out(vectors_ND)
    given, drawn = pdist(vectors_ND), pdist(found.places_N2)
    assert found.stress == pytest.approx(np.sqrt(((given - drawn) ** 2).sum() / (given**2).sum()), rel=0.05)
    distances_NN = np.linalg.norm(vectors_ND[:, None] - vectors_ND[None], axis=2)
    start_N2 = principal_plane(vectors_ND)
    assert ((given - drawn) ** 2).sum() < ((given - pdist(start_N2)) ** 2).sum(), "steps improve on the start"
    stresses = [
        smacof(distances_NN, n_init=1, init=rng.normal(size=(60, 2)), normalized_stress=True, random_state=0)[1]
        for _ in range(5)
    ]
    assert found.stress <= 1.02 * min(stresses)


def test_rows_in_another_order_lie_in_the_same_places() -> None:
    vectors_ND = np.random.default_rng(3).normal(size=(25, 4))
    order_N = np.random.default_rng(4).permutation(25)
    there_N2, here_N2 = lay_out(vectors_ND).places_N2, lay_out(vectors_ND[order_N]).places_N2
    assert np.allclose(here_N2, there_N2[order_N], atol=1e-5)


def test_a_moment_lies_as_the_one_before() -> None:
    rng = np.random.default_rng(5)
    first_ND = rng.normal(size=(50, 2)) * [3, 1]
    second_ND = turned(first_ND, 1.7, True) + 0.01 * rng.normal(size=(50, 2))
    first, second = lay_out_in_turn([first_ND, second_ND])
    assert np.abs(first.places_N2 - second.places_N2).max() < 0.1


@pytest.mark.parametrize("vectors_ND", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((5, 3))])
def test_nothing_to_tell_apart_lies_in_the_middle(vectors_ND: np.ndarray) -> None:
    found = lay_out(vectors_ND)
    assert found.places_N2.shape == (len(vectors_ND), 2)
    assert not found.places_N2.any()
    assert found.stress == 0


def test_two_rows_keep_their_distance() -> None:
    found = lay_out(np.array([[0.0, 0, 0], [3, 4, 0]]))
    assert np.linalg.norm(found.places_N2[0] - found.places_N2[1]) == pytest.approx(5)
