import pytest

from labelprop.report.draw.charts import (
    Named,
    against_labels_only,
    apart,
    curves,
    dot,
    epoch_ticks,
    nice_ticks,
    scale_start,
)
from labelprop.report.gather.numbers import Share, percent_of, signed
from labelprop.report.gather.training import Curve, Phase


@pytest.mark.parametrize(
    ("low", "high", "top"),
    [(0.9, 0.976, 1.0), (0.995, 1.0, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0), (0.27, 1.49, None), (3.0, 3.0, None)],
)
def test_ticks_enclose_the_values_and_stop_at_the_top(low, high, top):
    ticks = nice_ticks(low, high, top)
    assert 2 <= len(ticks) <= 8
    assert ticks == sorted(ticks)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    if top is not None:
        assert ticks[-1] <= top + 1e-9


@pytest.mark.parametrize("last", [1, 2, 5, 40, 179, 1000])
def test_epoch_ticks_begin_and_end_the_axis(last):
    ticks = epoch_ticks(last)
    assert (ticks[0], ticks[-1]) == (1, last)
    assert ticks == sorted(set(ticks))
    assert len(ticks) <= 7


def test_a_chart_keeps_every_point_inside_and_unsmoothed():
    own = Curve(tuple(range(1, 41)), tuple(0.6 + 0.01 * k for k in range(40)))
    chart = curves(against_labels_only(own, Curve((), ())), 40, Phase("dlp", 11, 40), percent_of, "label", 1.0)
    points = [tuple(float(v) for v in point.split(",")) for point in chart.lines[0].points.split()]
    assert len(points) == 40
    assert all(46 <= x <= 262 and 10 <= y <= 178 for x, y in points)
    assert chart.mark_x == pytest.approx(46 + 216 * 9.5 / 39)
    assert chart.lines[0].value == "99.0%"
    assert (chart.mark_text, chart.mark_y) == ("dlp starts", 170), "below a curve that is high"
    falling = Curve(own.epochs, own.values[::-1])
    chart = curves(against_labels_only(falling, Curve((), ())), 40, Phase("dlp", 30, 40), percent_of, "label", 1.0)
    assert chart.mark_y == 18, "above one that is low"


def test_one_epoch_makes_a_chart():
    chart = curves([Named("this run", Curve((1,), (0.5,)))], 1, None, percent_of, "label", 1.0)
    assert chart.mark_x is None
    assert [tick.text for tick in chart.x_ticks] == ["1"]


def test_labels_of_close_lines_do_not_overlap():
    assert apart([50.0, 120.0]) == [50.0, 120.0]
    upper, lower = apart([100.0, 101.0])
    assert lower - upper == pytest.approx(34)
    lower, upper = apart([101.0, 100.0])
    assert lower > upper


def test_a_scale_of_shares_starts_under_the_lowest_interval():
    shares = [Share(164, 176), Share(171, 171)]
    assert scale_start(shares) == 85
    assert scale_start([]) == 0
    assert scale_start([Share(0, 5)]) == 0


def test_a_dot_with_its_interval_lies_on_the_scale():
    found = dot(Share(164, 176), 85)
    assert 0 <= found.left < found.at < found.left + found.width <= 100
    assert found.text == "93.2%, interval 88.5% to 96.1%"
    assert dot(Share(0, 5), 50).at == 0


def test_a_poor_start_of_a_long_training_is_cut_unless_all_is_to_be_shown():
    curve = Curve(tuple(range(1, 41)), (0.1, *[0.9 + 0.001 * k for k in range(39)]))
    cut, whole = (curves([Named("r", curve)], 40, None, percent_of, "label", 1.0, low) for low in (None, 0.1))
    assert cut.y_ticks[0].text == "90%"
    assert whole.y_ticks[0].text == "0%"
    assert float(whole.lines[0].points.split()[0].split(",")[1]) == pytest.approx(178 - 168 * 0.1, abs=0.1)


def test_an_axis_through_zero_has_a_real_minus_sign():
    chart = curves([Named("r", Curve((1, 2), (-0.4, 0.4)))], 2, None, signed, "label", 1.0)
    assert [tick.text for tick in chart.y_ticks] == ["−0.4", "−0.2", "0.0", "0.2", "0.4"]
