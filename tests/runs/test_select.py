"""The best examples of each class against a sort of the whole pool; what is held while it goes by."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.core.errors import RequestError
from labelprop.runs.select import BestOfClasses, selection_table, what_was_selected


def scores_of(n: int, n_classes: int, *, levels: int | None = None, seed: int = 0) -> np.ndarray:
    """Random distributions; with few `levels`, full of ties."""
    rng = np.random.default_rng(seed)
    raw = rng.random((n, n_classes)) if levels is None else rng.integers(1, levels + 1, (n, n_classes))
    return (raw / raw.sum(1, keepdims=True)).astype(np.float32) if levels is None else raw.astype(np.float32)


def by_hand(scores_NC: np.ndarray, per_example: int, per_class: int) -> list[tuple[int, int, float, int]]:
    """(class, row, score, rank) by the definition: Python's sort of all that there is."""
    n, n_classes = scores_NC.shape
    stands_for = [sorted(range(n_classes), key=lambda c, row=row: (-row[c], c))[:per_example] for row in scores_NC]
    found = []
    for code in range(n_classes):
        among = sorted((i for i in range(n) if code in stands_for[i]), key=lambda i: (-scores_NC[i, code], i))
        found += [(code, i, float(scores_NC[i, code]), r) for r, i in enumerate(among[:per_class], 1)]
    return found


def stream(scores_NC: np.ndarray, batch: int, order: np.ndarray | None = None, **limits: int) -> BestOfClasses:
    selection = BestOfClasses(scores_NC.shape[1], **limits)
    order = np.arange(len(scores_NC)) if order is None else order
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        selection.offer(rows, scores_NC[rows])
    return selection


def as_rows(selection: BestOfClasses) -> list[tuple[int, int, float, int]]:
    kept, ranks = selection.best()
    return list(
        zip(kept.classes_M.tolist(), kept.rows_M.tolist(), kept.scores_M.tolist(), ranks.tolist(), strict=True)
    )


@pytest.mark.parametrize("levels", [None, 3], ids=["distinct", "ties"])
@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize(("per_example", "per_class"), [(1, 5), (2, 3), (4, 9), (50, 4), (3, 5000)], ids=str)
def test_a_stream_gives_what_a_sort_of_everything_gives(levels, batch, per_example, per_class) -> None:
    scores_NC = scores_of(300, 4, levels=levels)
    found = as_rows(stream(scores_NC, batch, per_example=per_example, per_class=per_class))
    assert found == by_hand(scores_NC, per_example, per_class)


def test_the_order_in_which_rows_come_decides_nothing() -> None:
    scores_NC = scores_of(400, 3, levels=2)
    order = np.random.default_rng(1).permutation(400)
    limits = {"per_example": 2, "per_class": 11}
    assert as_rows(stream(scores_NC, 13, order, **limits)) == as_rows(stream(scores_NC, 50, **limits))


@pytest.mark.parametrize("levels", [None, 1], ids=["distinct", "all equal"])
def test_far_less_is_held_than_goes_by(levels) -> None:
    n_classes, per_example, per_class, batch = 5, 2, 6, 20
    scores_NC = scores_of(5000, n_classes, levels=levels)
    selection, most = BestOfClasses(n_classes, per_example=per_example, per_class=per_class), 0
    for start in range(0, 5000, batch):
        selection.offer(np.arange(start, start + batch), scores_NC[start : start + batch])
        most = max(most, selection.held)
    assert most <= 2 * n_classes * per_class + batch * per_example
    assert as_rows(selection) == by_hand(scores_NC, per_example, per_class)


def test_no_row_at_all_and_an_example_under_several_classes() -> None:
    empty = BestOfClasses(2, per_example=1, per_class=1)
    assert selection_table([], ["a", "b"], empty).num_rows == 0
    scores_NC = np.array([[0.5, 0.4, 0.1], [0.2, 0.7, 0.1]], np.float32)
    table = selection_table(["x", "y"], ["a", "b", "c"], stream(scores_NC, 1, per_example=2, per_class=2))
    assert table.schema.names == ["id", "label", "score", "rank"]
    found = [(row["label"], row["rank"], row["id"]) for row in table.to_pylist()]
    assert found == [("a", 1, "x"), ("a", 2, "y"), ("b", 1, "y"), ("b", 2, "x")]


def test_classes_with_too_few_candidates_are_named() -> None:
    scores_NC = np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.3, 0.7, 0.0]], np.float32)
    selection = stream(scores_NC, 2, per_example=1, per_class=2)
    taken, warning = what_was_selected(3, ["a", "b", "c"], selection)
    assert taken == "3 places in 3 classes taken by 3 of 3 examples"
    assert warning == ("warning: fewer than 2 examples have the class among its likeliest in 2 classes: 'b' 1, 'c' 0")
    assert len(what_was_selected(3, ["a", "b", "c"], stream(scores_NC, 2, per_example=3, per_class=2))) == 1


@pytest.mark.parametrize(("limits", "said"), [((0, 5), "--per-image 0"), ((5, 0), "--per-class 0")])
def test_limits_below_one_are_refused(limits, said) -> None:
    with pytest.raises(RequestError, match=f"{said} must be at least 1"):
        BestOfClasses(3, per_example=limits[0], per_class=limits[1])
