"""The largest values of every row are those of a full sort."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labelprop.functional.largest import group_size, kth_largest, largest


@settings(deadline=None, max_examples=200)
@given(
    rows=st.integers(0, 5),
    width=st.integers(1, 700),
    k=st.integers(0, 700),
    seed=st.integers(0, 10**6),
    distinct=st.booleans(),
)
def test_values_are_those_of_a_sort_and_places_hold_them(
    rows: int, width: int, k: int, seed: int, distinct: bool
) -> None:
    k = min(k, width)
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, width)) if distinct else rng.integers(0, 4, (rows, width)).astype(float)
    values[rng.random((rows, width)) < 0.2] = -np.inf
    found, places = largest(torch.from_numpy(values), k)
    np.testing.assert_array_equal(found, -np.sort(-values, axis=1)[:, :k])
    np.testing.assert_array_equal(np.take_along_axis(values, places.numpy(), axis=1), found)
    assert all(len(set(row)) == k for row in places.tolist()), "a place was given twice"


@pytest.mark.parametrize("k", [1, 2, 40, 41])
def test_the_kth_largest_is_that_of_a_sort(k: int) -> None:
    values = torch.from_numpy(np.random.default_rng(k).integers(0, 30, (5, 41)).astype(np.float32))
    assert torch.equal(kth_largest(values.requires_grad_(), k), values.sort(dim=1, descending=True).values[:, k - 1])


@pytest.mark.parametrize(("width", "k", "wanted"), [(100, 100, 1), (3200, 50, 8), (32_768, 58, 32), (7, 0, 2)])
def test_groups_are_as_long_as_there_are_groups_for_each_wanted(width: int, k: int, wanted: int) -> None:
    assert group_size(width, k) == wanted
