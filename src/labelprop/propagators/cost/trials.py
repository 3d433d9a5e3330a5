"""What choosing among candidates costs beside propagations: votes and heads, which grow with the columns."""

from __future__ import annotations

from dataclasses import replace

from labelprop.propagators.choice.heads import MOST_WEIGHTS
from labelprop.propagators.cost.stages import Size, Stage, search_for, vote_cost

# Fitted to fits of `AutoPropagation` on 64 to 8,192 rows of 64 and 1,280 columns.
VOTES = 20  # each labeled rows search, and count
HEADS, SEED_STEPS = 16, 40  # fits to the labeled rows, and evaluations of each
SOFT_STEPS, SOFT_ROWS, LAST_STEPS = 75, 2000, 15  # of the soft heads: on a sample, and on all rows if one is chosen
WEIGHT = 1500  # passes a weight of a head and evaluation: L-BFGS moves its history in float64
SETTLED_ROWS = 4000  # on which metric and sharpness are settled


def trials(size: Size) -> Stage:
    """The votes, heads, and searches of a second metric that candidates of `auto` need."""
    n, m, d, c = size.n, size.n_seeds, size.d, size.n_classes
    (voted,) = vote_cost(size, {"density": "joint", "search": "exact"}).stages
    settled = min(n, SETTLED_ROWS)
    _, _, search = search_for(replace(size, n=settled), settled, {"search": "exact"})
    weights = d * c if d * c <= MOST_WEIGHTS else 0
    rows = HEADS * SEED_STEPS * m + SOFT_STEPS * min(n, SOFT_ROWS) + LAST_STEPS * n
    evaluations = HEADS * SEED_STEPS + SOFT_STEPS
    return Stage(
        "trials",
        voted.nbytes,
        products=VOTES * voted.products + search.products + 4 * rows * weights,
        passes=VOTES * voted.passes + search.passes + WEIGHT * evaluations * weights,
    )
