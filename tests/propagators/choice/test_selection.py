"""Choosing by hidden seeds: who wins, who is dropped, and what preference decides."""

from __future__ import annotations

import numpy as np
import pytest

from labelprop.propagators.choice import selection
from labelprop.propagators.choice.selection import select_candidate


class Judge:
    """Answers from a table, a row of ones and zeros a fold, and keeps record of the questions."""

    def __init__(self, **right: list[str]) -> None:
        self.right, self.asked, self.forgotten = right, list[tuple[str, int]](), list[str]()

    def __call__(self, candidate: str, fold: int) -> np.ndarray:
        self.asked.append((candidate, fold))
        return np.array([letter == "1" for letter in self.right[candidate][fold]])

    def winner(self, *candidates: str) -> str:
        n_folds = len(self.right[candidates[0]])
        return select_candidate(candidates, n_folds, self, self.forgotten.append)[0].candidate


def test_the_clear_winner_is_chosen_wherever_it_stands() -> None:
    judge = Judge(a=["1000000000"], b=["1111111110"])
    assert judge.winner("a", "b") == "b"
    assert judge.winner("b", "a") == "b"


def test_ties_and_leads_within_a_standard_error_go_to_the_preferred() -> None:
    judge = Judge(a=["1111100000"], b=["1111100000"], c=["1111110000"], d=["1111111100"])
    assert judge.winner("a", "b") == "a"
    assert judge.winner("b", "a") == "b"
    assert judge.winner("a", "c") == "a", "one seed more is one standard error: luck"
    assert judge.winner("a", "d") == "d", "three seeds more of three that differ are not"


def test_seeds_that_both_get_right_or_wrong_do_not_blur_a_lead() -> None:
    shared = "1" * 50 + "0" * 50
    judge = Judge(a=[shared + "0000"], b=[shared + "1111"], c=["0" * 50 + "1" * 50 + "0000"])
    assert judge.winner("a", "b") == "b"
    assert judge.winner("c", "b") == "c", "where a hundred answers differ, a lead of four is luck"


def test_all_folds_count_and_the_first_is_not_final() -> None:
    judge = Judge(a=["1111", "0000", "0000"], b=["1110", "1111", "1111"])
    assert judge.winner("a", "b") == "b"


def test_those_far_behind_are_dropped_after_the_first_fold_and_forgotten() -> None:
    judge = Judge(a=["1111110000"] * 3, b=["0000000000"] * 3, c=["1111100000"] * 3)
    tallies = select_candidate(["a", "b", "c"], 3, judge, judge.forgotten.append)
    assert judge.forgotten == ["b"]
    assert judge.asked == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("c", 1), ("a", 2), ("c", 2)]
    assert [(tally.candidate, tally.right) for tally in tallies] == [("a", 18), ("c", 15)]


def test_no_more_than_a_few_go_on_and_those_are_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST_CANDIDATES", 2)
    judge = Judge(a=["1110"] * 2, b=["1110"] * 2, c=["1111"] * 2, d=["1110"] * 2)
    tallies = select_candidate(["a", "b", "c", "d"], 2, judge, judge.forgotten.append)
    assert {tally.candidate for tally in tallies} == {"a", "c"}
    assert judge.forgotten == ["b", "d"]


def test_the_others_follow_by_what_they_got_right() -> None:
    judge = Judge(a=["1000000000"], b=["1110000000"], c=["1111111111"], d=["1111000000"])
    assert [tally.candidate for tally in select_candidate(["a", "b", "c", "d"], 1, judge)] == ["c", "d", "b", "a"]
