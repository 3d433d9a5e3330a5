from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest

from labelprop.report.draw.plots import (
    LINE,
    SIDE,
    breadth,
    histogram,
    mirrored,
    nice_counts,
    panel,
    reach_of,
    scatter,
    unstacked,
    versus,
)


def inside(plot) -> bool:
    bars = all(b.x >= 46 and b.x + b.width <= 330.5 and b.y >= 10 and b.y + b.height <= 178.1 for b in plot.bars)
    spots = all(46 <= s.x <= 330 and 10 <= s.y <= 178 for s in plot.spots)
    return bars and spots and bool(plot.x_ticks) and bool(plot.y_ticks)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("values", [[3, 3, 3], [0, 1], [5, 900, 17, 17], [0], list(range(100))])
def test_a_histogram_counts_every_finite_value_once(values, whole: bool) -> None:
    plot = histogram(np.array([*values, np.nan]), whole, "x", "label")
    assert inside(plot)
    one = 178 - plot.zero + (plot.zero - 10) / int(plot.y_ticks[-1].text.replace(",", ""))  # pixels of one value
    assert round(sum(bar.height for bar in plot.bars) / one) == len(values)
    assert len(plot.bars) <= 21


def test_whole_numbers_stand_in_the_middle_of_their_bars() -> None:
    plot = histogram(np.array([2.0, 3, 3, 4]), True, "x", "label")
    ticks = {tick.text: tick.at for tick in plot.x_ticks}
    assert [bar.height for bar in plot.bars] == pytest.approx([84, 168, 84])
    for text, bar in zip("234", plot.bars, strict=True):
        if text in ticks:
            assert ticks[text] == pytest.approx(bar.x + bar.width / 2, abs=1)
    assert set(ticks) >= {"2", "4"}


def test_right_ones_stand_and_wrong_ones_hang_on_one_scale() -> None:
    right_H, wrong_H = np.zeros(20, int), np.zeros(20, int)
    right_H[19], right_H[0], wrong_H[10] = 400, 1, 100
    plot = mirrored(right_H, wrong_H, "certainty", "label")
    assert inside(plot)
    standing = [bar for bar in plot.bars if not bar.wrong]
    hanging = [bar for bar in plot.bars if bar.wrong]
    assert len(standing) == 2
    assert len(hanging) == 1
    assert standing[1].height == pytest.approx(4 * hanging[0].height)
    assert standing[0].height >= 1, "one is still seen"
    assert all(bar.y + bar.height == pytest.approx(plot.zero, abs=1) for bar in standing)
    assert hanging[0].y == plot.zero
    assert not any("-" in tick.text or "−" in tick.text for tick in plot.y_ticks)
    assert (plot.above, plot.below) == ("right 401", "wrong 100")


def test_bars_of_one_kind_alone() -> None:
    assert inside(mirrored(np.array([0, 5]), np.zeros(2, int), "x", "label"))
    assert inside(mirrored(np.zeros(2, int), np.array([0, 5]), "x", "label"))


def test_a_scatter_leaves_out_what_is_not_known_and_keeps_names_with_their_dots() -> None:
    plot = scatter(np.array([0.2, np.nan, 1.0]), np.array([10.0, 11, 30]), ["a", "b", "c"], "x", "label")
    assert inside(plot)
    assert [(spot.name, spot.group) for spot in plot.spots] == [("a", 0), ("c", 2)]
    assert plot.spots[0].x < plot.spots[1].x
    assert plot.spots[0].y > plot.spots[1].y, "more is higher"
    assert plot.spots[1].before, "at the right end the name stands to the left"


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [0.0, 0.0]])
def test_dots_without_spread_have_a_place(values) -> None:
    assert inside(scatter(np.array(values), np.arange(len(values)) * 0.0 + 4, [], "x", "label"))
    assert inside(versus(np.array(values), np.array(values), [], "x", "label"))


def test_equal_pairs_lie_on_the_diagonal() -> None:
    values = np.array([0.31, 0.72, 0.99])
    plot = versus(values, values, [], "x", "label")
    assert plot.diagonal
    for spot in plot.spots:
        assert (spot.x - 46) / 284 == pytest.approx((178 - spot.y) / 168)
    above = versus(np.array([0.5, 0.9]), np.array([0.9, 0.5]), [], "x", "label").spots
    assert (178 - above[0].y) / 168 > (above[0].x - 46) / 284


def test_names_that_meet_are_set_apart() -> None:
    ys = [100.0, 101.0, 99.0, 30.0, 100.0]
    spans = [(0, 50), (10, 60), (20, 70), (0, 50), (200, 250)]
    found = unstacked(ys, spans)
    for i, j in combinations(range(4), 2):
        assert abs(found[i] - found[j]) >= LINE - 1e-9
    assert found[3:] == [30.0, 100.0], "what meets nothing stays"


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (-2, 900), (0, 0)])
def test_ticks_of_counts_are_whole_and_hold_zero(low: int, high: int) -> None:
    ticks = nice_counts(low, high)
    assert 0 in [round(tick, 9) for tick in ticks]
    assert all(tick == pytest.approx(round(tick)) for tick in ticks)
    assert ticks[0] <= low
    assert ticks[-1] >= high


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


def test_wide_letters_count_for_more() -> None:
    assert breadth("iii") < breadth("aaa") < breadth("www") < breadth("日本語")
    assert breadth("") == 0


def test_a_panel_of_places_that_are_all_alike() -> None:
    made = panel(np.zeros((3, 2)), np.array([0, 0, 2]), np.zeros(3, bool), 0.0, ["a", "empty", "c"])
    assert made.paths == ("M120 120h0M120 120h0", "", "M120 120h0")
