"""The verdict by what was measured or estimated; the edges are those of Wilson's 95% interval."""

from __future__ import annotations

from typing import Any

import pytest

from labelprop.evaluation.verdict import judge


def metrics(
    right: int | None = None,
    n: int = 0,
    alone: float | None = None,
    test: tuple[int, int] | None = None,
    hidden: tuple[int, int, int] | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "unlabeled": {"n": 10 * n + 5, "scored": n, "accuracy": right / n if right is not None else None}
    }
    found["baseline"] = {"unlabeled": alone, "test": None}
    found["nearest_label"] = {"unlabeled": None}
    found["test"] = {"n": test[1], "accuracy": test[0] / test[1]} if test else {"n": None, "accuracy": None}
    found["hidden_labels"] = None
    if hidden:
        found["hidden_labels"] = dict(zip(("right", "baseline_right", "n"), hidden, strict=True))
    return found


@pytest.mark.parametrize(
    ("right", "n", "grade"),
    [
        (35, 35, "good"),  # from 90.1%
        (34, 34, "usable"),  # from 89.8%
        (930, 1000, "good"),
        (916, 1000, "usable"),  # 91.6%, from 89.7%
        (729, 1000, "usable"),  # from 70.1%
        (727, 1000, "weak"),  # from 69.9%
        (280, 1000, "weak"),
        (0, 1000, "weak"),
        (20, 20, "usable"),
        (19, 19, "not measured"),
        (10, 19, "not measured"),  # up to 72.7%
        (9, 19, "weak"),  # at most 68.3%
        (0, 3, "weak"),
        (1, 1, "not measured"),
    ],
)
def test_the_lower_end_of_the_interval_decides(right: int, n: int, grade: str) -> None:
    found = judge(metrics(right, n))
    assert (found.grade, found.right, found.n) == (grade, right, n)
    assert found.kind == "measured"


def test_nothing_is_known_without_evidence() -> None:
    for nothing in ({}, metrics(), metrics(hidden=(0, 0, 0))):
        found = judge(nothing)
        assert (found.grade, found.kind, found.n) == ("not measured", "", 0)
        assert found.to_json() == {"verdict": "not measured", "estimate": None}


def test_what_does_no_better_than_the_labels_alone_is_at_most_usable() -> None:
    assert judge(metrics(980, 1000, alone=0.979)).grade == "good"
    assert judge(metrics(980, 1000, alone=0.98)).grade == "usable"
    assert judge(metrics(300, 1000, alone=0.98)).grade == "weak"
    nearest = metrics(980, 1000) | {"nearest_label": {"unlabeled": 0.99}}
    assert judge(nearest).grade == "usable"


def test_the_truth_counts_before_the_test_set_and_that_before_hidden_labels() -> None:
    every = metrics(950, 1000, test=(100, 1000), hidden=(10, 10, 100))
    assert (judge(every).examples, judge(every).grade) == ("unlabeled", "good")
    every["unlabeled"]["accuracy"] = None
    assert (judge(every).examples, judge(every).kind, judge(every).grade) == ("test", "measured", "weak")
    del every["test"]
    assert (judge(every).examples, judge(every).kind) == ("hidden", "estimated")
    assert judge(metrics(4, 5, hidden=(98, 90, 100))).examples == "hidden", "five rows are too few"
    assert judge(metrics(4, 5)).examples == "unlabeled"


def test_hidden_labels_that_the_run_was_not_asked_for_say_nothing() -> None:
    found = metrics()
    found["hidden_labels"] = {"n": 100, "right": None, "baseline_right": 90, "nearest_label_right": 80}
    assert judge(found).grade == "not measured"


@pytest.mark.parametrize(
    ("found", "ahead"),
    [
        (metrics(hidden=(14, 68, 70)), ("baseline", 68)),
        (metrics(hidden=(28, 29, 30)), None),
        (metrics(700, 1000, alone=0.75), ("baseline", 750)),
        (metrics(700, 1000, alone=0.72), None),
        (metrics(700, 1000, alone=0.75) | {"propagation_only": {"unlabeled": 0.8}}, ("propagation_only", 800)),
        (metrics(), None),
    ],
)
def test_a_simpler_way_is_ahead_where_chance_does_not_explain_it(found, ahead) -> None:
    assert judge(found).ahead == ahead


def test_metrics_of_older_runs_are_judged() -> None:
    assert judge({"unlabeled": {"n": 100, "accuracy": 0.99}, "test": None}).grade == "good"


def test_what_is_written_down() -> None:
    written = judge(metrics(hidden=(41, 30, 50))).to_json()
    assert written["verdict"] == "weak"
    assert written["estimate"] == {
        "accuracy": 0.82,
        "low": pytest.approx(0.692, abs=1e-3),
        "high": pytest.approx(0.902, abs=1e-3),
        "n_eff": 50,
        "kind": "estimated",
        "examples": "hidden",
        "labels_alone": 0.6,
        "pays": True,
    }
    tied = judge(metrics(30, 50, alone=0.6)).to_json()["estimate"]
    assert (tied["labels_alone"], tied["pays"]) == (0.6, False)
    alone = judge(metrics(30, 50)).to_json()["estimate"]
    assert (alone["labels_alone"], alone["pays"]) == (None, None), "nothing to compare with"
