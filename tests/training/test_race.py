"""The race: who trains how often on what, who goes on, and what is said."""

from __future__ import annotations

import pytest
import torch

from labelprop.core.types import Task
from labelprop.training.race import BASELINE, ROUNDS, Heat, folds, race


def task(per_class: int, n_classes: int = 3, n: int = 60) -> Task:
    labels_N = torch.full((n,), -1)
    labels_N[: per_class * n_classes] = torch.arange(per_class * n_classes) % n_classes
    return Task(labels_N, torch.ones(n), n_classes, seed=0)


class Runners:
    """Recipes that find a given number of the hidden labels of each fold."""

    def __init__(self, whole: Task, skill: dict[str, tuple[int, ...]]) -> None:
        self.whole, self.skill, self.calls = whole, skill, []

    def __call__(self, name: str, left: Task, share: float) -> torch.Tensor:
        self.calls.append((name, share))
        found_N = self.whole.labels_N.clone()
        hidden = ((self.whole.labels_N >= 0) & (left.labels_N < 0)).nonzero().squeeze(1)
        right = self.skill[name][ROUNDS.index(share)]
        found_N[hidden[right:]] = (found_N[hidden[right:]] + 1) % self.whole.n_classes
        return found_N


def test_every_label_is_hidden_once_and_no_class_is_lost() -> None:
    whole = task(5)
    made = folds(whole)
    assert len(made) == 3
    hidden = torch.cat([rows for _, rows in made])
    assert sorted(hidden.tolist()) == list(range(15))
    for left, rows in made:
        assert (left.labels_N[rows] == -1).all()
        assert set(left.labels_N[left.labels_N >= 0].tolist()) == {0, 1, 2}
        assert (left.labels_N >= 0).sum() == 15 - len(rows)


def test_the_better_half_and_the_labels_alone_go_on() -> None:
    whole = task(5)
    runners = Runners(whole, {"a": (4, 2), "b": (3, 5), "c": (1, 5), BASELINE: (0, 1)})
    outcome = race(["a", "b", "c", BASELINE], whole, runners)
    assert outcome.recipe == "b"
    assert [call for call in runners.calls if call[1] == ROUNDS[1]] == [
        (name, ROUNDS[1]) for name in ("a", "b", BASELINE) for _ in range(3)
    ]
    assert outcome.reason == ("b found 15 of 15 labels, each hidden once (a 6, supervised 3; c fell behind before)")


def test_nothing_wins_that_is_worse_than_the_labels_alone() -> None:
    whole = task(5)
    outcome = race(["a", "b", BASELINE], whole, Runners(whole, {"a": (5, 2), "b": (4, 3), BASELINE: (0, 4)}))
    assert outcome.recipe == BASELINE


def test_ties_go_to_the_one_named_first() -> None:
    whole = task(5)
    skill = {"a": (3, 4), "b": (3, 4), BASELINE: (3, 4)}
    assert race(["a", "b", BASELINE], whole, Runners(whole, skill)).recipe == "a"
    assert race(["b", "a", BASELINE], whole, Runners(whole, skill)).recipe == "b"


def test_the_only_label_of_a_class_is_never_hidden_and_the_others_race() -> None:
    whole = task(5)
    whole.labels_N[(whole.labels_N == 2).nonzero()[1:]] = -1
    made = folds(whole)
    assert len(made) == 3
    assert sorted(torch.cat([rows for _, rows in made]).tolist()) == (
        ((whole.labels_N == 0) | (whole.labels_N == 1)).nonzero().squeeze(1).tolist()
    )
    assert all((left.labels_N == 2).sum() == 1 for left, _ in made)
    outcome = race(["a", BASELINE], whole, Runners(whole, {"a": (2, 3), BASELINE: (2, 2)}))
    assert outcome.reason == "a found 9 of 10 labels, each hidden once (supervised 6)"


def test_a_class_with_one_label_is_not_hidden_but_said() -> None:
    whole = task(1)
    outcome = race(["a", BASELINE], whole, Runners(whole, {}))
    assert outcome.recipe == "a"
    assert "unraced: every class has a single label" in outcome.reason
    assert len(folds(task(2))) == 2, "two labels a class make two folds"


def test_heats_that_were_run_are_not_run_again() -> None:
    whole, noted = task(5), []
    skill = {"a": (4, 2), "b": (3, 5), BASELINE: (0, 1)}
    unbroken = race(["a", "b", BASELINE], whole, Runners(whole, skill), note=lambda heats: noted.append(list(heats)))
    for stopped in noted:
        again = Runners(whole, skill)
        assert race(["a", "b", BASELINE], whole, again, run_already=stopped) == unbroken
        assert len(again.calls) == len(unbroken.heats) - len(stopped)
    assert [Heat(**heat) for heat in unbroken.to_json()["heats"]] == list(unbroken.heats)


def test_a_race_needs_the_labels_alone() -> None:
    with pytest.raises(ValueError, match=BASELINE):
        race(["a"], task(5), Runners(task(5), {}))
