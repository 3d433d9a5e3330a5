"""Memory and operations of the stages of a propagation, counted from sizes; a propagator's `cost` is made of them.

Bytes are what a stage holds at once, work is operations. Both are rough: the neighbors that rows have in common, the
steps a solver needs and what a search has to probe depend on the data.

n rows, d dimensions, k neighbors, c classes, m labeled rows, f bytes of a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labelprop.graph.neighbors import EXACT_UP_TO, EXACT_UP_TO_CUDA
from labelprop.graph.neighbors.approximate import HELD, TOGETHER
from labelprop.propagators.estimator.top_classes import is_wide, n_kept

ALL_PAIRS = "all pairs"
NEIGHBORS = 50  # of a propagator that has no such parameter
INDEX = 4  # bytes of an index in a graph
BOTH_WAYS = 1.5  # edges of a symmetric graph for each that a row chose: some are chosen from both ends

# Fitted to measurements of benchmarks/forecast.py: costs that do not follow from the sizes alone.
BLOCK = 2**24  # similarities that an exact search holds at once
NEAR, NEAR_K, NEAR_PRODUCT = 500.0, 48.0, 100.0  # of the approximate search, a row and sqrt(n), where vectors cluster
NEAR_HELD = 2.0  # bytes of it for each of the similarities it holds at once
PRODUCT, PAIR = 1.7, 30.0  # of a search beside the trial's: large products are slower, and the best are kept
DISTANCES = 2.5  # times what a search by cosine takes: they are computed in float64
KERNEL = 20.0  # a pair, where all are computed
EDGE, EDGE_OF_ALL = 3000.0, 50.0  # to bring an edge into a symmetric graph; where all pairs are edges none is sorted
SPARSE, STEP = 1.8, 130.0  # of a step of a solver: an edge beside the trial's, numbers moved a row and class
CG_STEPS = 50  # until the residual is 1e-6
VOTES, VOTES_D = 26_000, 220  # passes a row, and a row and dimension, to find and count votes
SOLVED = 64  # classes solved together where results are sparse


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a propagation is."""

    n: int
    d: int
    n_classes: int
    n_seeds: int
    double: bool = False  # computed in float64
    on_gpu: bool = False
    baselines: bool = True

    @property
    def float_bytes(self) -> int:
        return 8 if self.double else 4


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: the most bytes it holds beyond what was held before, its operations, and seconds at any size."""

    name: str
    nbytes: float
    products: float = 0.0  # multiplications and additions of dense products
    passes: float = 0.0  # edges times columns of sparse products, and numbers moved
    fixed: float = 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """The stages of a propagator; the first is the search, of this kind and for this many neighbors."""

    search: str
    n_neighbors: int
    stages: tuple[Stage, ...]


def graph_cost(size: Size, values: Mapping[str, Any]) -> Cost:
    """Search, graph and a solve for all classes, on nearest neighbors or on all pairs of rows."""
    n, c, f = size.n, size.n_classes, size.float_bytes
    kind, k, search = search_for(size, n, values)
    edges, both, per_edge = n * k, BOTH_WAYS * n * k, EDGE
    if values.get("kernel", "knn") != "knn":
        kind, search = ALL_PAIRS, Stage("search", 0, passes=KERNEL * n * n)
        edges, both, per_edge = n * n, n * n, EDGE_OF_ALL
    graph = both * (INDEX + f)
    steps = min(int(values.get("max_iter", CG_STEPS)), CG_STEPS)
    stages = (
        search,
        Stage("graph", 2 * edges * (INDEX + f) + 2.5 * graph, passes=per_edge * edges),
        Stage(
            "solve",
            2.5 * graph + result_bytes(size, values.get("top_classes")),
            passes=steps * c * (SPARSE * both + STEP * n),
        ),
    )
    return Cost(kind, k, stages)


def vote_cost(size: Size, values: Mapping[str, Any]) -> Cost:
    """Labeled rows are searched, and vote."""
    n = size.n
    kind, k, found = search_for(size, size.n_seeds, values)
    times = 2 if values.get("density") else 1  # the labeled rows look for their own neighbors, too
    nbytes = max(found.nbytes, 3 * n * k * (8 + size.float_bytes) + result_bytes(size, values.get("top_classes")))
    passes = times * found.passes + n * (VOTES + VOTES_D * size.d)
    return Cost(kind, k, (Stage("search", nbytes, times * found.products, passes),))


def search_for(size: Size, among: int, values: Mapping[str, Any]) -> tuple[str, int, Stage]:
    """The search for the nearest of `among` rows for each of n: its kind, the number of neighbors, and its stage."""
    n, d, f = size.n, size.d, size.float_bytes
    k = min(int(values.get("n_neighbors", NEIGHBORS)), max(1, among - 1))
    kind = str(values["search"])
    if kind == "auto":
        limit = EXACT_UP_TO_CUDA if size.on_gpu else EXACT_UP_TO
        kind = "exact" if n * among <= limit * limit else "approximate"
    found, pairs = n * k * (8 + f), n * among
    products, passes = 2 * PRODUCT * pairs * d, PAIR * pairs
    by_distance = DISTANCES if values.get("metric") == "euclidean" else 1.0
    if kind == "exact":
        held = 2.2 * f * min(pairs, BLOCK) + 2 * min(n, 2**22 // max(1, d)) * d * f
    else:
        held = among * (d * f + 24) + NEAR_HELD * f * min(HELD["cpu"], 2 * TOGETHER * n) + 2 * BLOCK * f
        compared = n * among**0.5  # rows near enough, by the hundred
        products = min(NEAR_PRODUCT * compared * d, products)
        passes = min(compared * (NEAR + NEAR_K * k), passes)
    return kind, k, Stage("search", found + held, by_distance * products, by_distance * passes)


def result_bytes(size: Size, top_classes: int | None) -> float:
    """Scores, distributions and what they are made from; beyond 2^28 numbers those of the best classes."""
    n, c, f = size.n, size.n_classes, size.float_bytes
    if is_wide(n, c):
        return n * (5 * n_kept(top_classes, c) * (8 + f) + 6 * SOLVED * f)
    return 4 * n * c * f
