"""What choosing among candidates costs beside propagations: votes and heads, which grow with the columns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from labelprop.core.registry import HEADS
from labelprop.propagators.choice.heads import MOST_WEIGHTS
from labelprop.propagators.cost.stages import Size, Stage, search_for, vote_cost

LABELS_ONLY, SOFT_HEAD = HEADS
VOTERS = {"weighted-knn", "local"}
KERNELS = {"label-propagation", "label-spreading", "poisson"}  # whose metric and sharpness are settled first

# Fitted to fits of `AutoPropagation` on 64 to 8,192 rows of 64 and 1,280 columns.
VOTES = 20  # each labeled rows search, and count
SEED_FITS, SEED_STEPS = 16, 40  # fits to the labeled rows, and evaluations of each
SOFT_STEPS, SOFT_ROWS, LAST_STEPS = 75, 2000, 15  # of the soft heads: on a sample, and on all rows if one is chosen
WEIGHT = 1500  # passes a weight of a head and evaluation: L-BFGS moves its history in float64
SETTLED_ROWS = 4000  # on which metric and sharpness are settled


def trials(size: Size, names: Collection[str]) -> Stage:
    """The votes, heads, and searches of a second metric that the candidates of these names need."""
    n, m, d, c = size.n, size.n_seeds, size.d, size.n_classes
    (voted,) = vote_cost(size, {"density": "joint", "search": "exact"}).stages
    votes = VOTES * len(VOTERS.intersection(names)) / len(VOTERS)
    settled = min(n, SETTLED_ROWS) if KERNELS.intersection(names) else 0
    _, _, search = search_for(replace(size, n=settled), settled, {"search": "exact"})
    of_seeds = SEED_FITS * SEED_STEPS if LABELS_ONLY in names else 0
    of_sample = SOFT_STEPS if SOFT_HEAD in names else 0
    rows = of_seeds * m + of_sample * min(n, SOFT_ROWS) + of_sample / SOFT_STEPS * LAST_STEPS * n
    weights = d * c if d * c <= MOST_WEIGHTS else 0
    return Stage(
        "trials",
        voted.nbytes if votes else 0,
        products=votes * voted.products + search.products + 4 * rows * weights,
        passes=votes * voted.passes + search.passes + WEIGHT * (of_seeds + of_sample) * weights,
    )
