"""Image passes, against what each recipe's phases are known to cost."""

from __future__ import annotations

import pytest
import torch

from labelprop.bench.passes import count, epochs_within
from labelprop.training import recipes
from labelprop.types import Task

N, GIVEN = 300, 30
TASK = Task(torch.where(torch.arange(N) < GIVEN, torch.arange(N) % 3, -1), torch.ones(N), 3, 0)


@pytest.mark.parametrize(
    ("name", "settings", "of_step", "of_refresh"),
    [
        ("supervised", {"batch_size": 20}, (20,), (0,)),
        ("dlp", {"batch_size": 20, "labeled_batch_size": 8, "n_neighbors": 5}, (20, 20), (0, N / 3)),
        ("mean-teacher", {"batch_size": 20, "labeled_batch_size": 8}, (20 + 20 / 3,), (0,)),
        (
            "mt+dlp",
            {"batch_size": 20, "labeled_batch_size": 8, "n_neighbors": 5},
            (20 + 20 / 3, 20 + 20 / 3),
            (0, N / 3),
        ),
        ("ir", {"batch_size": 20, "dim": 4}, (20,), (GIVEN / 3,)),
        ("llp", {"batch_size": 20, "dim": 4}, (20, 20), (GIVEN / 3, 0)),
    ],
)
def test_cost(name: str, settings: dict, of_step: tuple, of_refresh: tuple) -> None:
    cost = count(recipes.build(name, settings), TASK)
    assert cost.of_step == pytest.approx(of_step)
    assert cost.of_refresh == pytest.approx(of_refresh)


def test_as_many_epochs_as_the_passes_pay_for() -> None:
    recipe = recipes.build("dlp", {"batch_size": 20, "labeled_batch_size": 8, "n_neighbors": 5})
    per_epoch = (N - GIVEN) // 12 * 20 + N / 3
    epochs, spent = epochs_within(20 * per_epoch, recipe, TASK)
    assert spent <= 20 * per_epoch < spent + per_epoch + 0.25 * 20 * ((N - GIVEN) // 12)
    assert 10 < epochs < 20  # a quarter more for the first stage
    assert epochs_within(1, recipe, TASK)[0] == 1
