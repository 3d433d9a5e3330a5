"""Cells: every row once, in tiles, compared by its metric."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.graph.neighbors.cells import CLOSENESS, TILE, Cells
from labelprop.graph.neighbors.rows import as_rows


def data(n: int = 900) -> np.ndarray:
    X = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    X[7] = 0
    return X


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_every_row_is_in_its_nearest_cell_once(metric: str) -> None:
    rows = as_rows(data(), metric=metric)
    cells = Cells.of(rows, seed=0)
    numbers = cells.number_P[cells.number_P >= 0]
    assert numbers.sort().values.tolist() == [row for row in range(900) if row != 7 or metric != "cosine"]
    assert int(cells.counts_G.sum()) == len(numbers)
    assert len(cells.number_P) == int(cells.tiles_G.sum()) * TILE
    if metric != "inner":
        nearest_cell = CLOSENESS[metric](rows.take(numbers), cells.centers_GD).argmax(dim=1)
        assert torch.equal(cells.cell_of(900)[numbers], nearest_cell)
    own = rows.take(numbers[cells.cell_of(900)[numbers] == 3])
    torch.testing.assert_close(cells.means_GD[3], own.mean(dim=0))


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
def test_comparisons_are_similarities_and_empty_places_are_minus_infinity(metric: str) -> None:
    rows = as_rows(data(), metric=metric)
    cells = Cells.of(rows, seed=0)
    queries = rows.read(0, 40)
    for cell in range(len(cells.counts_G)):
        first, count = int(cells.first_G[cell]), int(cells.counts_G[cell])
        found = torch.empty(40, int(cells.tiles_G[cell]) * TILE)
        cells.compare(queries, cell, first, count, out=found)
        numbers = cells.number_P[first * TILE : first * TILE + count]
        wanted = rows.similarities(queries, 0, 900)[:, numbers].float()
        torch.testing.assert_close(found[:, :count], wanted, rtol=1e-4, atol=1e-4)
        assert (found[:, count:] == -torch.inf).all()


def test_duplicates_leave_cells_empty_and_nothing_is_lost() -> None:
    cells = Cells.of(as_rows(np.ones((500, 3), dtype=np.float32)), seed=0)
    assert (cells.counts_G > 0).sum() == 1
    assert cells.number_P[cells.number_P >= 0].tolist() == list(range(500))
    closeness = cells.closeness(torch.ones(1, 3))
    assert ((closeness == -torch.inf) == (cells.counts_G == 0)).all()
