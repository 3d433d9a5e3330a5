"""Image passes, against what each recipe's phases are known to cost."""

from __future__ import annotations

import pytest
import torch

from labelprop.bench.equal_passes import RecipeRow
from labelprop.bench.passes import count, steps_within
from labelprop.bench.recipes import rows_for
from labelprop.core.types import Task
from labelprop.training import recipes
from labelprop.training.lengths import most

N, GIVEN = 300, 30
DMT_FIRST, DMT_LATER = (GIVEN / 3, N / 3), (GIVEN / 3, 0)
LLP = {"batch_size": 20, "labeled_batch_size": 8, "dim": 4}
FROM_INSTANCES = LLP | {"start": "instances"}
TASK = Task(torch.where(torch.arange(N) < GIVEN, torch.arange(N) % 3, -1), torch.ones(N), 3, 0)


@pytest.mark.parametrize(
    ("name", "settings", "of_step", "of_first", "of_later"),
    [
        ("supervised", {"batch_size": 20}, (20,), (0,), (0,)),
        ("dlp", {"batch_size": 20, "labeled_batch_size": 8, "n_neighbors": 5}, (20, 20), (0, N / 3), (0, N / 3)),
        ("mean-teacher", {"batch_size": 20, "labeled_batch_size": 8}, (20 + 20 / 3,), (0,), (0,)),
        (
            "mt+dlp",
            {"batch_size": 20, "labeled_batch_size": 8, "n_neighbors": 5},
            (20 + 20 / 3, 20 + 20 / 3),
            (0, N / 3),
            (0, N / 3),
        ),
        # Of 20 examples 8 are labeled. Forward and backward through both views of all; through both networks, each on
        # the examples and twice on its adversarial ones; through all and 12 strong views; and so on.
        *(
            (name, {"batch_size": 20, "labeled_batch_size": 8}, (of_step,), (0,), (0,))
            for name, of_step in (
                ("pi", 40),
                ("temporal-ensembling", 20),
                ("vat", 20 + 20 / 3 + 20 + 20),
                ("vat-em", 20 + 20 / 3 + 20 + 20),
                ("uda", 20 + 12),
                ("fixmatch", 20 + 12),
                ("freematch", 20 + 12),
                ("dct", 120),
                ("pseudo-label", 20),
            )
        ),
        # Four turns of everything, and eight views.
        ("s4l-rotation", {"batch_size": 20, "labeled_batch_size": 8}, (4 * 20,), (0,), (0,)),
        ("s4l-exemplar", {"batch_size": 20, "labeled_batch_size": 8}, (8 * 20,), (0,), (0,)),
        ("ir", {"batch_size": 20, "dim": 4}, (20,), (GIVEN / 3,), (GIVEN / 3,)),
        ("llp", FROM_INSTANCES, (20, 20), (GIVEN / 3, 0), (GIVEN / 3, 0)),
        # Without a phase before that trains the bank, it is filled by one pass over all.
        ("llp", LLP, (20, 20), (0, N / 3), (0, 0)),
        ("llp+diffusion", LLP | {"n_neighbors": 5}, (20, 20), (0, N / 3), (0, 0)),
        ("la+llp", LLP, (20, 20, 20), (0, N / 3, 0), (0, GIVEN / 3, 0)),
        # Its labels are found once, from the embedding of all that the phase before has left.
        ("dmt", {"batch_size": 20, "dim": 4, "n_neighbors": 5, "n_eigenvectors": 3}, (20, 20), DMT_FIRST, DMT_LATER),
    ],
)
def test_cost(name: str, settings: dict, of_step: tuple, of_first: tuple, of_later: tuple) -> None:
    phases = count(recipes.build(name, settings), TASK)
    assert [phase.step for phase in phases] == pytest.approx(of_step)
    assert [phase.first for phase in phases] == pytest.approx(of_first)
    assert [phase.later for phase in phases] == pytest.approx(of_later)


@pytest.mark.slow
@pytest.mark.parametrize("row", rows_for((1, 28, 28)), ids=lambda row: row.name)
def test_every_recipe_can_be_counted_with_its_defaults(row: RecipeRow) -> None:
    phases = count(recipes.build(row.recipe, row.settings), TASK)
    assert min(phase.step for phase in phases) > 0


@pytest.mark.parametrize("name", ["dlp", "supervised", "fixmatch", "dmt"])
def test_as_many_steps_as_the_passes_pay_for(name: str) -> None:
    settings = {"batch_size": 20} | ({"n_neighbors": 5} if name != "supervised" else {})
    settings |= {"labeled_batch_size": 8} if name in ("dlp", "fixmatch") else {}
    if name == "fixmatch":
        del settings["n_neighbors"]
    recipe = recipes.build(name, settings)
    steps, spent = steps_within(10_000, recipe, TASK)
    assert 0.9 * 10_000 < spent <= 10_000, "less than a step and a pass over the data is left"
    assert steps > 50
    assert steps_within(1, recipe, TASK)[0] == 1


def test_most_is_the_last_that_can_be_paid() -> None:
    assert most(lambda n: 3.0 * n, 10) == 3
    assert most(lambda n: 3.0 * n, 9) == 3
    assert most(lambda n: 5.0 + n, 4) == 0
    assert most(lambda n: max(100, n), 100) == 100
