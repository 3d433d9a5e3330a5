import numpy as np
import pytest

from labelprop.report.draw import projection
from labelprop.report.draw.projection import project


def clusters(n, d=16, c=3, seed=0):
    rng = np.random.default_rng(seed)
    codes_N = np.arange(n) % c
    return (4 * rng.normal(size=(c, d))[codes_N] + rng.normal(size=(n, d))).astype(np.float32), codes_N


def share_with_nearest_of_own_class(places_N2, codes_N):
    distances = ((places_N2[:, None] - places_N2[None]) ** 2).sum(2)
    np.fill_diagonal(distances, np.inf)
    return (codes_N[distances.argmin(1)] == codes_N).mean()


def test_tsne_keeps_neighbors_and_repeats_itself():
    vectors_ND, codes_N = clusters(150)
    places_N2, name = project(vectors_ND, seed=3)
    assert (places_N2.shape, places_N2.dtype, name) == ((150, 2), np.float32, "t-SNE")
    assert share_with_nearest_of_own_class(places_N2, codes_N) > 0.97
    assert (project(vectors_ND, seed=3)[0] == places_N2).all()


def test_more_rows_are_placed_among_landmarks(monkeypatch):
    monkeypatch.setattr(projection, "TSNE_ROWS", 120)
    vectors_ND, codes_N = clusters(400)
    places_N2, name = project(vectors_ND)
    assert name == "t-SNE (of 120; the others lie among their nearest)"
    assert np.isfinite(places_N2).all()
    assert share_with_nearest_of_own_class(places_N2, codes_N) > 0.97


@pytest.mark.parametrize("shape", [(0, 4), (1, 4), (2, 4), (4, 1), (30, 1), (4, 9)])
def test_few_rows_or_dimensions(shape):
    vectors_ND = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    places_N2, _ = project(vectors_ND)
    assert places_N2.shape == (shape[0], 2)
    assert np.isfinite(places_N2).all()


def test_rows_that_are_all_alike():
    places_N2, name = project(np.ones((20, 3), dtype=np.float32))
    assert name == "PCA"
    assert (places_N2 == 0).all()
