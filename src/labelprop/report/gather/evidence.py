"""Which rows of a large data set the map and the table show."""

from __future__ import annotations

import numpy as np

SHOWN = 10_000  # what the page holds within its budget of 10 MB and 2 s
LEAST_CERTAIN = 0.1  # of the rows shown: the first thousand to check
ERRORS = 0.2  # of the rows shown; with these bounds a tenth at least is left for the others
GIVEN = 0.7  # of the rows shown, at most


def choose_shown(
    labels_N: np.ndarray,
    certainty_N: np.ndarray,
    given_N: np.ndarray,
    wrong_N: np.ndarray | None,
    limit: int = SHOWN,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """A bool mask of at most `limit` rows: all where they fit.

    Else the given ones (a sample by class above 70% of the limit), the least certain (10%), the errors (a sample
    above 20%), and the rest at random by class, as evenly as the classes allow.
    labels_N: class index, -1 where unreached (a group like a class). wrong_N: None where no truth is known.
    """
    n = len(labels_N)
    if n <= limit:
        return np.ones(n, dtype=bool)
    rng = rng or np.random.default_rng(0)
    shown_N = np.zeros(n, dtype=bool)
    _add_by_class(shown_N, np.flatnonzero(given_N), labels_N, int(GIVEN * limit), rng)
    labeled_M = np.flatnonzero(~given_N & (labels_N >= 0))
    doubtful_M = labeled_M[np.argsort(certainty_N[labeled_M], kind="stable")]
    shown_N[doubtful_M[: int(LEAST_CERTAIN * limit)]] = True
    if wrong_N is not None:
        errors_E = np.flatnonzero(wrong_N & ~given_N)
        shown_N[rng.permutation(errors_E)[: int(ERRORS * limit)]] = True
    others_M = np.flatnonzero(~given_N & ~shown_N)
    _add_by_class(shown_N, others_M, labels_N, limit - int(shown_N.sum()), rng)
    return shown_N


def _add_by_class(
    shown_N: np.ndarray, rows_M: np.ndarray, labels_N: np.ndarray, room: int, rng: np.random.Generator
) -> None:
    """Marks up to `room` of `rows_M`: in each round every class that has rows left gives one."""
    if len(rows_M) <= room:
        shown_N[rows_M] = True
        return
    shuffled_M = rng.permutation(rows_M)
    by_class_M = shuffled_M[np.argsort(labels_N[shuffled_M], kind="stable")]
    classes_M = labels_N[by_class_M]
    starts_M = np.searchsorted(classes_M, classes_M)
    turn_M = np.arange(len(by_class_M)) - starts_M
    shown_N[by_class_M[np.argsort(turn_M, kind="stable")[:room]]] = True
