import numpy as np

from labelprop.report.gather.evidence import choose_shown


def chosen(n, limit, given=0, wrong=0, unreached=0, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels_N = rng.integers(0, classes, n)
    certainty_N = rng.random(n)
    given_N = np.arange(n) < given
    unreached_N = np.arange(n) >= n - unreached
    labels_N[unreached_N] = -1
    certainty_N[unreached_N] = 0
    wrong_N = np.zeros(n, dtype=bool)
    wrong_N[given : given + wrong] = True
    shown_N = choose_shown(labels_N, certainty_N, given_N, wrong_N, limit, np.random.default_rng(seed))
    return shown_N, labels_N, certainty_N, given_N, wrong_N, unreached_N


def test_all_rows_where_they_fit():
    shown_N, *_ = chosen(50, 50)
    assert shown_N.all()


def test_given_rows_errors_and_the_least_certain_are_always_there():
    shown_N, _, certainty_N, given_N, wrong_N, _ = chosen(5000, 1000, given=50, wrong=120)
    assert shown_N.sum() == 1000
    assert shown_N[given_N].all()
    assert shown_N[wrong_N].all()
    pool = np.flatnonzero(~given_N)
    assert shown_N[pool[np.argsort(certainty_N[pool])[:100]]].all()


def test_many_errors_and_many_given_rows_leave_room_for_the_others():
    shown_N, _, _, given_N, wrong_N, _ = chosen(20_000, 1000, given=2000, wrong=9000)
    assert shown_N.sum() == 1000
    assert shown_N[given_N].sum() == 700
    assert 200 <= shown_N[wrong_N].sum() <= 300


def test_a_rare_class_is_shown():
    labels_N = np.zeros(10_000, dtype=int)
    labels_N[:20] = 1
    nothing = np.zeros(10_000, dtype=bool)
    shown_N = choose_shown(labels_N, np.ones(10_000), nothing, None, 500, np.random.default_rng(0))
    assert shown_N[:20].all()
    assert shown_N.sum() == 500


def test_unreached_rows_do_not_crowd_out_the_doubtful():
    shown_N, _, certainty_N, given_N, _, unreached_N = chosen(5000, 1000, unreached=3000)
    pool = np.flatnonzero(~given_N & ~unreached_N)
    assert shown_N[pool[np.argsort(certainty_N[pool])[:100]]].all()
    assert 0 < shown_N[unreached_N].sum() < 300


def test_same_generator_same_choice():
    assert (chosen(5000, 500, wrong=300)[0] == chosen(5000, 500, wrong=300)[0]).all()
