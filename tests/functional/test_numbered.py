"""Values with numbers behind them sort as the values do, and give both back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelprop.functional.numbered import BITS, best_numbered, numbered, top


@pytest.mark.parametrize("scale", [1e-38, 1.0, 1e38])
def test_the_best_and_their_numbers_are_those_of_a_full_sort(scale: float) -> None:
    rng = np.random.default_rng(0)
    values = torch.from_numpy((scale * rng.uniform(-1, 1, (40, 90))).astype(np.float32))
    numbers = torch.from_numpy(rng.integers(2**BITS, size=values.shape))
    numbers[0, :2] = torch.tensor([0, 2**BITS - 1])
    found, places = best_numbered(numbered(values, numbers), 30)
    wanted = values.sort(dim=1, descending=True)
    assert torch.equal(found, wanted.values[:, :30])
    assert torch.equal(places, numbers.gather(1, wanted.indices[:, :30]))


def test_minus_infinity_goes_last() -> None:
    keys = torch.full((1, 5), -torch.inf, dtype=torch.float64)
    keys[0, 3] = numbered(torch.tensor([-3e38]), torch.tensor([7]))[0]
    found, places = best_numbered(keys, 2)
    assert found.tolist() == [[pytest.approx(-3e38), -np.inf]]
    assert places.tolist() == [[7, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_top_of_rows_is_that_of_topk(dtype: torch.dtype) -> None:
    values = torch.from_numpy(np.random.default_rng(0).normal(size=(30, 50))).to(dtype)
    found, places = top(values, 7)
    wanted = values.topk(7, dim=1)
    assert torch.equal(found, wanted.values)
    assert torch.equal(places, wanted.indices)
