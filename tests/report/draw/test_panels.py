import re

import numpy as np
import pytest

from labelprop.report.draw.panels import SIDE, panel, reach_of


def test_a_panel_has_every_dot_once_inside_its_square() -> None:
    places = np.random.default_rng(0).normal(size=(30, 2))
    places -= places.mean(0)
    groups, ringed = np.arange(30) % 3, np.arange(30) < 6
    made = panel(places, groups, ringed, reach_of([places]), ["a", "b" * 14, "c"])
    points = [tuple(map(float, p)) for path in made.paths for p in re.findall(r"M([\d.]+) ([\d.]+)h0", path)]
    rings = [point for group in made.rings for point in group]
    assert (len(points), len(rings)) == (24, 6)
    assert all(0 <= v <= SIDE for point in [*points, *rings] for v in point)
    scale = (SIDE / 2 - 12) / np.abs(places).max()
    assert rings[0] == pytest.approx((120 + scale * places[0, 0], 120 - scale * places[0, 1]), abs=0.06)
    assert [name for _, _, name in made.names] == ["a", "b" * 14, "c"]
    assert 50 <= made.names[1][0] <= SIDE - 50, "a long name stays inside"


def test_a_panel_of_places_that_are_all_alike() -> None:
    made = panel(np.zeros((3, 2)), np.array([0, 0, 2]), np.zeros(3, bool), 0.0, ["a", "empty", "c"])
    assert made.paths == ("M120 120h0M120 120h0", "", "M120 120h0")
