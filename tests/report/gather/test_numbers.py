import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelprop.evaluation.metrics import wilson
from labelprop.report.gather.numbers import Share, Trust, certainty_text, percent, percent_of, thousandths


def trust(certainties, wrong=(), known=None):
    """A Trust over rows with these certainties; `wrong` by position; `known` positions, all by default."""
    exact = np.array(certainties, dtype=np.float32)
    wrong_P, known_P = np.zeros(len(exact), dtype=bool), np.zeros(len(exact), dtype=bool)
    wrong_P[list(wrong)] = True
    known_P[list(range(len(exact)) if known is None else known)] = True
    return Trust(thousandths(exact), exact, known_P, wrong_P & known_P)


def test_every_decimal_of_three_places_survives_float32():
    values = np.arange(1000) / 1000
    assert (thousandths(values.astype(np.float32)) == np.arange(1000)).all()


def test_certainty_is_cut_and_never_rounded_up_to_one():
    below_one = np.nextafter(np.float32(1), np.float32(0))
    assert thousandths(np.array([1.0, below_one, 0.9996, 0.9289, 0.0])).tolist() == [1000, 999, 999, 928, 0]
    assert [certainty_text(v) for v in (1000, 999, 70, 0)] == ["1", "0.999", "0.070", "0.000"]


def test_the_threshold_on_the_page_selects_the_same_rows_as_the_table():
    rng = np.random.default_rng(0)
    exact = rng.random(5000).astype(np.float32)
    rows = trust(exact)
    assert rows.kept == int((exact >= rows.threshold / 1000).sum())


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 10, "0%"),
        (10, 10, "100%"),
        (1657, 1697, "97.6%"),
        (99_999, 100_000, "99.9%"),
        (1, 100_000, "under 0.1%"),
        (1, 800, "0.1%"),
        (49, 400, "12.3%"),
    ],
)
def test_percent_never_claims_all_or_nothing(part, whole, text):
    assert percent(part, whole) == text


def test_percent_of_a_share():
    assert [percent_of(x) for x in (0.0, 0.00001, 0.5, 0.9999, 1.0)] == ["0%", "under 0.1%", "50.0%", "99.9%", "100%"]


def test_wilson_against_published_values():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    for part, whole, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)):
        assert wilson(part, whole) == pytest.approx((low, high), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson(20, 20)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


def test_share_as_text():
    share = Share(1657, 1697)
    assert (share.wrong, share.percent, share.interval) == (40, "97.6%", "96.8% to 98.3%")
    assert Share(1697, 1697).most_wrong == "0.2%"
    assert Share(0, 0).percent == "not known"


def test_a_target_is_reached_by_as_many_as_possible_and_whole_levels():
    rows = trust([0.99] * 90 + [0.9] * 7 + [0.5] * 3, wrong=range(90, 100))
    assert [rows.reach(target) for target in (0.9, 0.91, 0.95, 0.99, 1.0)] == [100, 97, 90, 90, 90]
    assert (rows.target, rows.kept, rows.rest, rows.threshold) == (0.95, 90, 10, 990)


def test_the_target_is_higher_where_all_labels_reach_the_usual_one():
    better = trust(np.linspace(0.99, 0.6, 100), wrong=(97, 98, 99))
    assert (better.reach(0.95), better.target, better.kept) == (100, 0.99, 97)
    never = trust(np.linspace(0.99, 0.6, 100), wrong=(0, 1, 2))
    assert (never.reach(0.99), never.target, never.kept) == (0, 0.95, 100)
    perfect = trust(np.linspace(0.99, 0.6, 100))
    assert (perfect.target, perfect.kept) == (0.99, 100)


def test_where_no_threshold_reaches_the_target_the_best_share_is_shown():
    rows = trust(np.linspace(0.99, 0.6, 100), wrong=[*range(0, 30, 2), *range(30, 100)])
    assert rows.reach(0.9) == 0
    assert rows.kept == 30
    assert trust(np.linspace(0.99, 0.6, 100), wrong=range(100)).reach(0.9) == 0


def test_a_threshold_rests_on_twenty_rows_with_truth():
    certainties = np.linspace(0.99, 0.6, 100)
    assert trust(certainties, wrong=range(19, 100)).reach(0.99) == 0, "19 are right, and 19 are too few"
    assert trust(certainties, wrong=range(20, 100)).reach(0.99) == 20
    assert not trust(certainties, known=range(19)).is_measured
    assert trust(certainties, known=range(20)).is_measured


def test_without_a_truth_the_least_certain_band_is_left():
    rows = trust(np.linspace(0.99, 0.6, 200), known=())
    assert (rows.kept, rows.rest) == (180, 20)


def test_nothing_is_left_where_the_certainty_says_nothing():
    for certainties in ([1.0] * 50, [0.9] * 10 + [0.5] * 40, [0.7], []):
        rows = trust(certainties, known=())
        assert (rows.rest, rows.ranks) == (0, False)
    assert trust([0.9, 0.8, 0.7], known=()).ranks


def test_shares_count_only_rows_with_truth():
    rows = trust([0.9, 0.8, 0.7, 0.6], wrong=(1, 3), known=(0, 1))
    assert (rows.all.right, rows.all.n) == (1, 2)
    assert (rows.kept_share.n, rows.kept_share.wrong) == (2, 1)


def test_bands_are_quantiles_of_whole_levels():
    rows = trust(np.repeat([0.99, 0.98, 0.9, 0.5], [30, 5, 5, 10]))
    assert [(band.name, band.rows) for band in rows.bands] == [("0.990", 30), ("0.900 to 0.980", 10), ("0.500", 10)]
    even = trust(np.linspace(0.999, 0.5, 200)).bands
    assert [band.rows for band in even] == [20] * 10
    assert even[0].name.endswith("to 0.999")
    assert even[-1].name.startswith("0.500 to")


def test_few_rows_have_few_bands():
    assert [len(trust(np.linspace(1, 0, n)).bands) for n in (0, 1, 19, 20, 99, 100, 1000)] == [0, 1, 1, 2, 9, 10, 10]
    assert [(band.name, band.rows) for band in trust([1.0, 1.0]).bands] == [("1", 2)]


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_bands_levels_and_kept_count_the_same_rows(rows):
    certainty, known, wrong = (np.array(column) for column in zip(*rows, strict=True))
    exact = certainty.astype(np.float32)
    found = Trust(thousandths(exact), exact, known, wrong & known)
    assert sum(band.rows for band in found.bands) == found.n == sum(count for _, count, _, _ in found.levels)
    assert sum(band.share.wrong for band in found.bands) == found.all.wrong
    assert found.kept_share.wrong + found.rest_share.wrong == found.all.wrong
    assert sum(count for value, count, _, _ in found.levels if value >= found.threshold) == found.kept
