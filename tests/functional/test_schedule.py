"""Learning-rate schedules at the places where they bend."""

from __future__ import annotations

import math

import pytest

from labelprop.functional.schedule import constant, cosine, plateau, ramp_up, slow_cosine, step, warm_up


def test_cosine_ends_above_zero_as_in_the_released_code() -> None:
    assert cosine(0) == 1
    assert cosine(1) == pytest.approx(0.5 * (1 + math.cos(math.pi * 180 / 210)))
    assert constant(0.7) == 1


def test_slow_cosine_ends_at_a_fifth() -> None:
    assert [slow_cosine(fraction) for fraction in (0, 4 / 7, 1)] == pytest.approx([1, 0.5**0.5, 0.19509032])


def test_steps() -> None:
    schedule = step(0.5, 0.8)
    assert [schedule(fraction, []) for fraction in (0, 0.49, 0.5, 0.79, 0.8, 1)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_plateau_drops_where_the_loss_stands_still_and_no_oftener_than_said() -> None:
    schedule = plateau(patience=2, drops=2)
    falling = [5.0, 4.0, 3.0, 2.0]
    assert schedule(0.5, falling) == 1
    assert schedule(0.5, [*falling, 2.0]) == 1
    assert schedule(0.5, [*falling, 2.0, 2.0]) == pytest.approx(0.1)
    assert schedule(0.5, [*falling, *[2.0] * 20]) == pytest.approx(0.01)
    assert schedule(0.5, []) == 1


def test_a_better_loss_starts_the_wait_anew() -> None:
    schedule = plateau(patience=2)
    assert schedule(0, [2.0, 2.0, 1.0, 1.0]) == 1
    assert schedule(0, [-1.0, -2.0, -2.0, -2.0]) == pytest.approx(0.1)


def test_warm_up_multiplies_what_it_leads_into() -> None:
    schedule = warm_up(step(0.5), 0.2, start=0.4)
    assert [schedule(fraction, []) for fraction in (0, 0.1, 0.2, 0.4, 0.5)] == pytest.approx([0.4, 0.7, 1, 1, 0.1])
    assert warm_up(constant, 0.1)(0.05, []) == pytest.approx(0.5)


def test_a_ramp_starts_near_nothing_and_stays_at_its_end() -> None:
    assert [ramp_up(done) for done in (0, 0.5, 1, 3)] == pytest.approx([math.exp(-5), math.exp(-1.25), 1, 1])
