from __future__ import annotations

import numpy as np
import pytest

from labelprop.report.draw.plots import apart, curves, histogram, mirrored, scatter
from labelprop.report.gather.history import Curve, NamedCurve, PhaseEpochs
from labelprop.report.gather.numbers import percent_of, signed


def inside(plot) -> bool:
    bars = all(b.x >= 46 and b.x + b.width <= 330.5 and b.y >= 10 and b.y + b.height <= 178.1 for b in plot.columns)
    spots = all(46 <= s.x <= 330 and 10 <= s.y <= 178 for s in plot.spots)
    return bars and spots and bool(plot.x_ticks) and bool(plot.y_ticks)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("values", [[3, 3, 3], [0, 1], [5, 900, 17, 17], [0], list(range(100))])
def test_a_histogram_counts_every_finite_value_once(values, whole: bool) -> None:
    plot = histogram(np.array([*values, np.nan]), whole, "x", "label")
    assert inside(plot)
    one = 178 - plot.zero + (plot.zero - 10) / int(plot.y_ticks[-1].text.replace(",", ""))  # pixels of one value
    assert round(sum(bar.height for bar in plot.columns) / one) == len(values)
    assert len(plot.columns) <= 21


def test_whole_numbers_stand_in_the_middle_of_their_bars() -> None:
    plot = histogram(np.array([2.0, 3, 3, 4]), True, "x", "label")
    ticks = {tick.text: tick.at for tick in plot.x_ticks}
    assert [bar.height for bar in plot.columns] == pytest.approx([84, 168, 84])
    for text, bar in zip("234", plot.columns, strict=True):
        if text in ticks:
            assert ticks[text] == pytest.approx(bar.x + bar.width / 2, abs=1)
    assert set(ticks) >= {"2", "4"}


def test_right_ones_stand_and_wrong_ones_hang_on_one_scale() -> None:
    right_H, wrong_H = np.zeros(20, int), np.zeros(20, int)
    right_H[19], right_H[0], wrong_H[10] = 400, 1, 100
    plot = mirrored(right_H, wrong_H, "certainty", "label")
    assert inside(plot)
    standing = [bar for bar in plot.columns if not bar.wrong]
    hanging = [bar for bar in plot.columns if bar.wrong]
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
    assert inside(scatter(np.array(values), np.array(values), [], "x", "label", alike=True))


def test_equal_pairs_lie_on_the_diagonal() -> None:
    values = np.array([0.31, 0.72, 0.99])
    plot = scatter(values, values, [], "x", "label", alike=True)
    assert plot.diagonal
    for spot in plot.spots:
        assert (spot.x - 46) / 284 == pytest.approx((178 - spot.y) / 168)
    above = scatter(np.array([0.5, 0.9]), np.array([0.9, 0.5]), [], "x", "label", alike=True).spots
    assert (178 - above[0].y) / 168 > (above[0].x - 46) / 284


NONE = Curve()


def test_curves_keep_every_point_inside_and_unsmoothed():
    own = Curve(tuple(range(1, 41)), tuple(0.6 + 0.01 * k for k in range(40)))
    named = NamedCurve("labels only", NONE), NamedCurve("this run", own, own=True)
    plot = curves(named, percent_of, "label", PhaseEpochs("dlp", 11, 40))
    (line,) = plot.lines
    points = [tuple(float(v) for v in point.split(",")) for point in line.points.split()]
    assert len(points) == 40
    assert all(46 <= x <= 262 and 10 <= y <= 178 for x, y in points)
    assert line.value == "99.0%"
    assert plot.mark.x == pytest.approx(46 + 216 * 9.5 / 39)
    assert (plot.mark.text, plot.mark.y) == ("dlp starts", 170), "below a curve that is high"
    falling = NamedCurve("this run", Curve(own.epochs, own.values[::-1]))
    assert curves([falling], percent_of, "label", PhaseEpochs("dlp", 30, 40)).mark.y == 18, "above one that is low"


def test_one_epoch_makes_a_chart():
    plot = curves([NamedCurve("this run", Curve((1,), (0.5,)))], percent_of, "label")
    assert plot.mark is None
    assert [tick.text for tick in plot.x_ticks] == ["1"]


def test_labels_of_close_lines_do_not_overlap():
    assert apart([50.0, 120.0]) == [50.0, 120.0]
    upper, lower = apart([100.0, 101.0])
    assert lower - upper == pytest.approx(34)
    lower, upper = apart([101.0, 100.0])
    assert lower > upper


def test_a_poor_start_of_a_long_training_is_cut_unless_all_is_to_be_shown():
    curve = Curve(tuple(range(1, 41)), (0.1, *[0.9 + 0.001 * k for k in range(39)]))
    cut, whole = (
        curves([NamedCurve("r", curve)], percent_of, "label", whole=all_of_it) for all_of_it in (False, True)
    )
    assert cut.y_ticks[0].text == "90%"
    assert whole.y_ticks[0].text == "0%"
    assert float(whole.lines[0].points.split()[0].split(",")[1]) == pytest.approx(178 - 168 * 0.1, abs=0.1)


def test_an_axis_through_zero_has_a_real_minus_sign():
    plot = curves([NamedCurve("r", Curve((1, 2), (-0.4, 0.4)))], signed, "label")
    assert [tick.text for tick in plot.y_ticks] == ["−0.4", "−0.2", "0.0", "0.2", "0.4"]
