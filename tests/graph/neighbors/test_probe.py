"""The best rows of the cells in reach are those of a full sort of the same rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.graph.neighbors import probe
from labelprop.graph.neighbors.cells import Cells
from labelprop.graph.neighbors.rows import as_rows


def brute_force(rows, cells: Cells, places: torch.Tensor, reach: float, width: int) -> torch.Tensor:
    block = rows.take(places)
    closeness = cells.closeness(block)
    near = closeness >= closeness.amax(dim=1, keepdim=True) - reach
    products = rows.similarities(block, 0, rows.n).float()
    products[~near[:, cells.cell_of(rows.n)]] = -torch.inf
    return products.sort(dim=1, descending=True).values[:, :width]


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "inner"])
@pytest.mark.parametrize(("reach", "width"), [(0.3, 12), (0.3, 70), (1e9, 12), (0.0, 60)])
@pytest.mark.parametrize("fold", [2, 4, 10**6])
def test_best_of_the_cells_in_reach(metric: str, reach: float, width: int, fold: int, monkeypatch) -> None:
    monkeypatch.setattr(probe, "FOLD", fold)
    X = np.random.default_rng(0).normal(size=(1200, 5)).astype(np.float32)
    X[600:900] = X[:300]  # duplicates
    rows = as_rows(X, metric=metric)
    cells, places = Cells.of(rows, seed=0), torch.arange(0, 1200, 3)
    values, numbers = probe.Probe(cells).best(rows.take(places), reach, width)
    wanted = brute_force(rows, cells, places, reach, width)
    torch.testing.assert_close(values, wanted, rtol=1e-4, atol=1e-4)
    assert ((numbers < 0) == (values == -torch.inf)).all()
    there = numbers >= 0
    products = rows.similarities(rows.take(places), 0, rows.n).float()
    torch.testing.assert_close(products.gather(1, numbers.clamp_min(0))[there], values[there], rtol=1e-4, atol=1e-4)
    assert all(len(set(row[row >= 0].tolist())) == int((row >= 0).sum()) for row in numbers), "a row came twice"
