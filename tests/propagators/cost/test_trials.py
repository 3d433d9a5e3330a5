"""What choosing costs beside propagations grows with the columns, and counts only what is tried."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelprop.propagators.auto import AutoPropagation
from labelprop.propagators.choice.heads import MOST_WEIGHTS
from labelprop.propagators.choice.hidden import HiddenLabels
from labelprop.propagators.cost.stages import Size
from labelprop.propagators.cost.trials import folds_of, trials

SIZE = Size(n=4000, d=64, n_classes=10, n_seeds=200)
QUICK = ("label-propagation", "label-spreading", "diffusion")


def test_only_what_is_named_counts() -> None:
    none = trials(SIZE, ["diffusion", "spectral-cut"], 2)
    assert (none.products, none.passes, none.nbytes) == (0, 0, 0)
    names = ["weighted-knn", "labels-only", "soft-head", "poisson"]
    whole, parts = trials(SIZE, names, 2), [trials(SIZE, [name], 2) for name in names]
    assert whole.passes == pytest.approx(sum(part.passes for part in parts))
    assert all(part.passes > 0 for part in parts)


@pytest.mark.parametrize("name", ["labels-only", "soft-head"])
def test_heads_grow_with_their_weights_and_are_none_beyond_the_most(name: str) -> None:
    wide = trials(replace(SIZE, d=1280), [name], 2)
    assert wide.products / trials(SIZE, [name], 2).products == pytest.approx(20)
    assert trials(replace(SIZE, d=MOST_WEIGHTS), [name], 2).products == 0


@pytest.mark.parametrize("per_class", [1, 2, 3, 6, 20, 200])
def test_as_many_folds_are_counted_as_are_dealt(per_class: int) -> None:
    labels = np.tile(np.arange(10), per_class)
    dealt = HiddenLabels.by_content(labels, 5, np.arange(len(labels), dtype=np.uint64))
    assert folds_of(replace(SIZE, n_seeds=len(labels)), 5) == len(dealt.folds)


def test_the_choice_among_three_quick_ones_is_a_fraction_of_the_choice_among_all() -> None:
    every, quick = (AutoPropagation(candidates=names).cost(SIZE).stages[-1] for names in (None, QUICK))
    assert quick.passes < every.passes / 2
    assert quick.fixed < every.fixed / 2
    assert quick.nbytes < every.nbytes
