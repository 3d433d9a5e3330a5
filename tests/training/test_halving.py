"""The race: who trains how often on what, who goes on, and what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from labelprop.core.types import Task
from labelprop.training import recipes
from labelprop.training.halving import (
    BASELINE,
    CANDIDATES,
    LARGE,
    ROUNDS,
    Trial,
    candidates,
    hidden_labels,
    successive_halving,
)

TABLES = Path(__file__).parents[2] / "benchmarks" / "results" / "recipes" / "table.json"


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

    reason = successive_halving([BASELINE], whole, train).reason
    assert reason == "supervised found 0 of 15 labels, each hidden once (0.0%)"
    assert len(seen) == 3 * len(ROUNDS)
    for shown_N in seen:
        assert set(shown_N[shown_N >= 0].tolist()) == {0, 1, 2}
    hidden = torch.cat([((whole.labels_N >= 0) & (shown_N < 0)).nonzero().squeeze(1) for shown_N in seen[:3]])
    assert sorted(hidden.tolist()) == list(range(15))


def test_the_better_half_and_the_labels_alone_go_on() -> None:
    whole = task(5)
    recipes = Recipes(whole, {"a": (4, 2), "b": (3, 5), "c": (1, 5), BASELINE: (0, 1)})
    said: list[str] = []
    outcome = successive_halving(["a", "b", "c", BASELINE], whole, recipes, say=said.append)
    assert outcome.recipe == "b"
    assert said == [
        "round 1 of 2: of 15 hidden labels found a 12, b 9, c 3, supervised 0",
        "round 2 of 2: of 15 hidden labels found b 15, a 6, supervised 3",
    ]
    assert [call for call in recipes.calls if call[1] == ROUNDS[1]] == [
        (name, ROUNDS[1]) for name in ("a", "b", BASELINE) for _ in range(3)
    ]
    differ = 9  # labels of 15 that only b found
    assert outcome.reason == (
        "b found 15 of 15 labels, each hidden once (100.0%); next a 6, supervised 3; a is "
        f"60.0 ± {100 * differ**0.5 / 15:.1f} points behind; tried in the first round alone: c 3"
    )


def test_nothing_wins_that_is_clearly_worse_than_the_labels_alone() -> None:
    whole = task(5)
    outcome = successive_halving(
        ["a", "b", BASELINE], whole, Recipes(whole, {"a": (5, 2), "b": (4, 3), BASELINE: (0, 4)})
    )
    assert outcome.recipe == BASELINE


@pytest.mark.parametrize(("lead", "chosen"), [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (9, "b")])
def test_a_lead_within_a_standard_error_goes_by_the_order(lead: int, chosen: str) -> None:
    """b finds `lead` labels that a does not, and a one that b does not: a standard error is sqrt(lead + 1)."""
    whole = task(30, n=120)

    def train(name: str, shown: Task, share: float) -> torch.Tensor:
        found_N = whole.labels_N.clone()
        missed = {"a": range(lead), "b": [lead]}.get(name, range(90))
        found_N[list(missed)] = (found_N[list(missed)] + 1) % 3
        return found_N

    assert ((lead - 1) / (lead + 1) ** 0.5 > 1) == (chosen == "b")
    outcome = successive_halving(["a", "b", "c", BASELINE], whole, train)
    assert outcome.recipe == chosen
    assert ("too small a lead" in outcome.reason) == (chosen == "a" and lead > 1)


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
    assert outcome.reason.startswith("a found 9 of 10 labels, each hidden once (90.0%); next supervised 6")


@pytest.mark.parametrize("per_class", [1, 2])
def test_one_or_two_labels_a_class_are_not_hidden_but_said(per_class: int) -> None:
    whole = task(per_class)
    outcome = successive_halving(["a", BASELINE], whole, Recipes(whole, {}))
    assert outcome.recipe == "a"
    assert outcome.trials == ()
    assert "without a race: no class has 3 labels or more" in outcome.reason
    assert len(hidden_labels(task(3)).folds) == 3


@pytest.mark.parametrize("kind", CANDIDATES)
def test_candidates_are_recipes_that_serve_their_data(kind: str) -> None:
    """And the labels alone are the last of them: nothing that costs more is taken for no gain."""
    shape = (1, 28, 28) if kind == "image" else (16,)
    assert set(CANDIDATES[kind]) <= set(recipes.serving(shape))
    assert CANDIDATES[kind][-1] == BASELINE
    n = LARGE + 1 if kind == "large" else 1000
    assert candidates("embedding" if kind == "large" else kind, n) == CANDIDATES[kind]


def test_the_order_for_images_is_that_of_the_table() -> None:
    measured = json.loads(TABLES.read_text())["sets"]["fashion_mnist"]
    found = [measured[name]["unlabeled"]["mean"] for name in CANDIDATES["image"]]
    assert found == sorted(found, reverse=True)


def test_the_order_for_embeddings_is_that_of_the_mean_distance_from_the_best() -> None:
    names = CANDIDATES["embedding"][:-1]
    table = json.loads(TABLES.read_text())["sets"]["banking77"]
    raced = json.loads((TABLES.parents[1] / "recipe_auto.json").read_text())["cells"]
    cells = [{name: table[name]["unlabeled"]["mean"] for name in names}]
    cells += [cell["accuracy"] for name, cell in raced.items() if name.startswith("cifar10")]
    behind = [sum(max(cell[other] for other in names) - cell[name] for cell in cells) for name in names]
    assert len(cells) == 3
    assert behind == sorted(behind)


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
