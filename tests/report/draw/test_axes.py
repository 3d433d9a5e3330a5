import pytest

from labelprop.report.draw.axes import epoch_ticks, nice_ticks, tick_text, whole_ticks
from labelprop.report.gather.numbers import percent_of


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


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 3), (-2, 900), (4, 4)])
def test_ticks_of_counts_are_whole(low: int, high: int) -> None:
    ticks = whole_ticks(low, high)
    assert all(tick == pytest.approx(round(tick)) for tick in ticks)
    assert ticks[0] <= low
    assert ticks[-1] >= high


def test_ticks_have_as_many_decimals_as_their_step_needs_and_a_real_minus_sign():
    ticks = [-0.4, -0.2, 0.0, 0.2]
    assert [tick_text(ticks)(tick) for tick in ticks] == ["−0.4", "−0.2", "0.0", "0.2"]
    assert tick_text([0.9, 0.95], percent_of)(0.95) == "95%"
    assert tick_text([0.99, 0.995], percent_of)(0.995) == "99.5%"
