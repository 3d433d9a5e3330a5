"""What joining candidates costs beside the propagations of the members: trials on hidden seeds, votes and heads."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from labelprop.core.registry import HEADS
from labelprop.propagators.choice.evidence import MOST_CANDIDATES
from labelprop.propagators.choice.fits import (
    ROUGH_LABELS_ONLY_STEPS,
    ROUGH_SOFT_SAMPLE,
    ROUGH_SOFT_STEPS,
    SOFT_SAMPLE,
)
from labelprop.propagators.choice.heads import LABELS_ONLY_STEPS, MOST_WEIGHTS, SOFT_STEPS
from labelprop.propagators.choice.hidden import FEWEST, MOST_HIDDEN
from labelprop.propagators.choice.settled import SAMPLE
from labelprop.propagators.choice.weighing import FEWEST_HIDDEN
from labelprop.propagators.cost.stages import Size, Stage, search_for, vote_cost

LABELS_ONLY, SOFT_HEAD = HEADS
VOTERS = {"weighted-knn", "local"}
KERNELS = {"label-propagation", "label-spreading", "poisson"}  # whose metric and sharpness are settled first

# Fitted to fits of `AutoPropagation` with benchmarks/forecast.py.
ROUGH = 0.3  # of a solve's steps, where hidden seeds are asked for
WEIGHT = 500  # passes a weight of a head and step: L-BFGS moves its history in float64


def folds_of(size: Size, cv: int) -> int:
    """How many folds of hidden seeds will be asked, classes having about equally many."""
    if size.n_seeds < max(FEWEST_HIDDEN, FEWEST * size.n_classes):
        return 0
    return min(cv, math.ceil(MOST_HIDDEN * cv / size.n_seeds))


def solves_of(propagators: int, folds: int, members: int = 3) -> float:
    """Propagations of all rows, in those that are solved to the end; one is tried with three numbers of neighbors."""
    trials = (propagators + 2 + (folds - 1) * min(propagators, MOST_CANDIDATES - 2)) if folds else 0
    return ROUGH * trials + min(propagators, members)


def trials(size: Size, names: Collection[str], folds: int) -> Stage:
    """The votes, heads, and searches of a second metric that the candidates of these names need."""
    n, m, d, c = size.n, size.n_seeds, size.d, size.n_classes
    (voted,) = vote_cost(size, {"density": "joint", "search": "exact"}).stages
    votes = folds * len(VOTERS.intersection(names)) / len(VOTERS)
    settled = min(n, SAMPLE) if folds and KERNELS.intersection(names) else 0
    _, _, search = search_for(replace(size, n=settled), settled, {"search": "exact"})
    of_seeds = (folds * ROUGH_LABELS_ONLY_STEPS + LABELS_ONLY_STEPS) if LABELS_ONLY in names else 0
    rows = of_seeds * m
    of_sample = 0
    if SOFT_HEAD in names:
        of_sample = folds * ROUGH_SOFT_STEPS + SOFT_STEPS
        rows += folds * ROUGH_SOFT_STEPS * min(n, ROUGH_SOFT_SAMPLE) + SOFT_STEPS * min(n, SOFT_SAMPLE)
    weights = d * c if d * c <= MOST_WEIGHTS else 0
    return Stage(
        "trials",
        voted.nbytes if votes else 0,
        products=votes * voted.products + search.products + 4 * rows * weights,
        passes=votes * voted.passes + search.passes + WEIGHT * (of_seeds + of_sample) * weights,
    )
