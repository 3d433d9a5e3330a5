import pytest

from labelprop.report.charts import apart, curves, dot, epoch_ticks, nice_ticks, scale_start
from labelprop.report.numbers import Share, percent_of
from labelprop.report.training import Curve


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
    chart = curves(own, Curve((), ()), 40, 11, percent_of, "label", 1.0)
    points = [tuple(float(v) for v in point.split(",")) for point in chart.lines[0].points.split()]
    assert len(points) == 40
    assert all(46 <= x <= 262 and 10 <= y <= 178 for x, y in points)
    assert chart.mark_x == pytest.approx(46 + 216 * 9.5 / 39)
    assert chart.lines[0].value == "99.0%"


def test_one_epoch_makes_a_chart():
    chart = curves(Curve((1,), (0.5,)), Curve((), ()), 1, None, percent_of, "label", 1.0)
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
