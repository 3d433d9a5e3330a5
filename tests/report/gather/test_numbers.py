import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelprop.report.gather.numbers import Share, Trust, certainty_text, percent, percent_of, thousandths, wilson


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


def test_what_is_kept_ends_at_a_whole_level_nearest_to_95_percent():
    rows = trust([0.99] * 90 + [0.9] * 7 + [0.5] * 3)
    assert (rows.kept, rows.rest, rows.threshold) == (97, 3, 900)


def test_nothing_is_left_to_check_where_the_certainty_says_nothing():
    assert trust([1.0] * 50).rest == 0
    assert trust([0.9] * 10 + [0.5] * 40).rest == 0
    assert trust([0.7]).rest == 0
    assert trust([]).rest == 0


def test_few_rows_still_leave_one_to_check():
    assert trust([0.9, 0.8, 0.7]).kept == 2


def test_shares_count_only_rows_with_truth():
    rows = trust([0.9, 0.8, 0.7, 0.6], wrong=(1, 3), known=(0, 1))
    assert (rows.all.right, rows.all.n) == (1, 2)
    assert rows.kept == 3
    assert (rows.rest_share.n, rows.rest_share.wrong) == (0, 0)


def test_bands_are_merged_at_both_ends():
    rows = trust([0.96, 0.97, 0.85, 0.91])
    assert [(band.name, band.rows) for band in rows.bands] == [
        ("0.95 to 1", 2),
        ("0.90 to 0.95", 1),
        ("below 0.90", 1),
    ]
    assert [(band.name, band.rows) for band in trust([0.3]).bands] == [("0 to 1", 1)]


def test_an_empty_band_in_the_middle_stays():
    assert [band.rows for band in trust([0.99, 0.85]).bands] == [1, 0, 0, 1]


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_bands_levels_and_kept_count_the_same_rows(rows):
    certainty, known, wrong = (np.array(column) for column in zip(*rows, strict=True))
    exact = certainty.astype(np.float32)
    found = Trust(thousandths(exact), exact, known, wrong & known)
    assert sum(band.rows for band in found.bands) == found.n == sum(count for _, count, _, _ in found.levels)
    assert sum(band.share.wrong for band in found.bands) == found.all.wrong
    assert found.kept_share.wrong + found.rest_share.wrong == found.all.wrong
    assert sum(count for value, count, _, _ in found.levels if value >= found.threshold) == found.kept
