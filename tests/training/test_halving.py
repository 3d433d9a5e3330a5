"""The race: who trains how often on what, who goes on, and what is said."""

from __future__ import annotations

import pytest
import torch

from labelprop.core.types import Task
from labelprop.training.halving import BASELINE, ROUNDS, Trial, hidden_labels, successive_halving


def task(per_class: int, n_classes: int = 3, n: int = 60) -> Task:
    labels_N = torch.full((n,), -1)
    labels_N[: per_class * n_classes] = torch.arange(per_class * n_classes) % n_classes
    return Task(labels_N, torch.ones(n), n_classes, seed=0)


class Recipes:
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
    seen = []

    def train(name: str, shown: Task, share: float) -> torch.Tensor:
        seen.append(shown.labels_N)
        return shown.labels_N

    assert (
        successive_halving([BASELINE], whole, train).reason == "supervised found 0 of 15 labels, each hidden once ()"
    )
    assert len(seen) == 3 * len(ROUNDS)
    for shown_N in seen:
        assert set(shown_N[shown_N >= 0].tolist()) == {0, 1, 2}
    hidden = torch.cat([((whole.labels_N >= 0) & (shown_N < 0)).nonzero().squeeze(1) for shown_N in seen[:3]])
    assert sorted(hidden.tolist()) == list(range(15))


def test_the_better_half_and_the_labels_alone_go_on() -> None:
    whole = task(5)
    recipes = Recipes(whole, {"a": (4, 2), "b": (3, 5), "c": (1, 5), BASELINE: (0, 1)})
    outcome = successive_halving(["a", "b", "c", BASELINE], whole, recipes)
    assert outcome.recipe == "b"
    assert [call for call in recipes.calls if call[1] == ROUNDS[1]] == [
        (name, ROUNDS[1]) for name in ("a", "b", BASELINE) for _ in range(3)
    ]
    assert outcome.reason == ("b found 15 of 15 labels, each hidden once (a 6, supervised 3; c fell behind before)")


def test_nothing_wins_that_is_worse_than_the_labels_alone() -> None:
    whole = task(5)
    outcome = successive_halving(
        ["a", "b", BASELINE], whole, Recipes(whole, {"a": (5, 2), "b": (4, 3), BASELINE: (0, 4)})
    )
    assert outcome.recipe == BASELINE


def test_ties_go_to_the_one_named_first() -> None:
    whole = task(5)
    skill = {"a": (3, 4), "b": (3, 4), BASELINE: (3, 4)}
    assert successive_halving(["a", "b", BASELINE], whole, Recipes(whole, skill)).recipe == "a"
    assert successive_halving(["b", "a", BASELINE], whole, Recipes(whole, skill)).recipe == "b"


def test_the_only_label_of_a_class_is_never_hidden_and_the_others_race() -> None:
    whole = task(5)
    whole.labels_N[(whole.labels_N == 2).nonzero()[1:]] = -1
    hidden = hidden_labels(whole)
    assert len(hidden.folds) == 3
    assert set(whole.labels_N[torch.cat([torch.from_numpy(rows) for rows in hidden.folds])].tolist()) == {0, 1}
    outcome = successive_halving(["a", BASELINE], whole, Recipes(whole, {"a": (2, 3), BASELINE: (2, 2)}))
    assert outcome.reason == "a found 9 of 10 labels, each hidden once (supervised 6)"


def test_a_class_with_one_label_is_not_hidden_but_said() -> None:
    whole = task(1)
    outcome = successive_halving(["a", BASELINE], whole, Recipes(whole, {}))
    assert outcome.recipe == "a"
    assert "without a race: every class has a single label" in outcome.reason
    assert len(hidden_labels(task(2)).folds) == 2, "two labels a class make two folds"


def test_trials_that_were_run_are_not_run_again() -> None:
    whole, noted = task(5), []
    skill = {"a": (4, 2), "b": (3, 5), BASELINE: (0, 1)}
    unbroken = successive_halving(
        ["a", "b", BASELINE], whole, Recipes(whole, skill), note=lambda trials: noted.append(list(trials))
    )
    for stopped in noted:
        again = Recipes(whole, skill)
        assert successive_halving(["a", "b", BASELINE], whole, again, run_already=stopped) == unbroken
        assert len(again.calls) == len(unbroken.trials) - len(stopped)
    assert [Trial(**trial) for trial in unbroken.to_json()["heats"]] == list(unbroken.trials)


def test_a_race_needs_the_labels_alone() -> None:
    with pytest.raises(ValueError, match=BASELINE):
        successive_halving(["a"], task(5), Recipes(task(5), {}))
