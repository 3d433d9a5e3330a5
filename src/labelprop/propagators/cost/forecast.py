"""How much memory and time a propagation will take, before it begins: counted from sizes, paced by a short trial.

Bytes are counted from what each stage holds at once. Seconds are counts of operations over the pace of this machine.
Both are rough: the neighbors that rows have in common, the steps a solver needs and what a search has to probe depend
on the data.

n rows, d dimensions, k neighbors, C classes, M labeled rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labelprop.core import registry
from labelprop.graph.neighbors import EXACT_UP_TO, EXACT_UP_TO_CUDA
from labelprop.graph.neighbors.approximate import HELD, TOGETHER
from labelprop.propagators.cost.pace import measured_pace
from labelprop.propagators.estimator.top_classes import DEFAULT_TOP, DENSE_LIMIT

MB = 2**20
AROUND = ("baselines", "report")
VOTERS = ("weighted-knn", "local")
ALL_PAIRS = "all pairs"
INDEX = 4  # bytes of an index in a graph
BOTH_WAYS = 1.5  # edges of a symmetric graph for each that a row chose: some are chosen from both ends

# Measured with benchmarks/forecast.py: what the number of rows and classes does not tell.
BLOCK = 2**24  # similarities that an exact search holds at once
NEAR, NEAR_K, NEAR_PRODUCT = 500.0, 48.0, 100.0  # of the approximate search, a row and sqrt(n), where vectors cluster
NEAR_HELD = 1.3  # bytes of it for each of the similarities it holds at once
PRODUCT, PAIR = 1.7, 30.0  # of a search beside the trial's: large products are slower, and the best are kept
EDGE = 3000.0  # to bring an edge into a symmetric graph
SPARSE, STEP = (
    1.8,
    130.0,
)  # of a step of conjugate gradient: an edge beside the trial's, numbers moved a row and class
CG_STEPS = 50  # until the residual is 1e-6
FILTER_STEPS = 40  # products that find the eigenvectors of a graph
AUTO_NEIGHBORS = 50  # of the one search that all candidates of `auto` share
EIGENVECTORS = 200
SOLVED = 64  # classes solved together where results are sparse
TRIALS = 25  # propagations that `auto` makes before it chooses
MAP_PASSES, MAP_ROWS = 1.8e7, 3000  # a row of the page's map, and how many are laid out


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


@dataclass(frozen=True, slots=True)
class Stage:
    """What a stage takes: the most bytes it holds at once, whatever was there before, and its operations."""

    name: str
    nbytes: float
    products: float = 0.0  # multiplications and additions of dense products
    passes: float = 0.0  # edges times columns of sparse products, and numbers moved


@dataclass(frozen=True, slots=True)
class Forecast:
    """A propagation foretold. Bytes are those beyond what the process holds already."""

    method: str
    parameters: Mapping[str, Any]
    size: Size
    search: str
    n_neighbors: int
    nbytes: int
    seconds_by_stage: Mapping[str, float]

    @property
    def seconds(self) -> float:
        return sum(self.seconds_by_stage.values())

    @property
    def fit_seconds(self) -> float:
        """Of the propagator alone."""
        return sum(seconds for name, seconds in self.seconds_by_stage.items() if name not in AROUND)

    @property
    def refit_seconds(self) -> float:
        """Of the propagator on the same graph from other labels."""
        return self.seconds_by_stage.get("solve", self.fit_seconds)


def forecast(method: str, parameters: Mapping[str, Any], size: Size) -> Forecast:
    """What `method` with these parameters (its defaults for the others) will take."""
    values = registry.propagator_flags(method) | dict(parameters)
    against = size.n_seeds if method in VOTERS else size.n
    k = min(int(values.get("n_neighbors", AUTO_NEIGHBORS)), max(1, against - 1))
    search = _search_kind(values, size, against)
    stages = [
        *MODELS.get(method, _on_graph)(size, values, k, search),
        *([_baselines(size)] if size.baselines else []),
    ]
    stages.append(Stage("report", 100 * MB, passes=MAP_PASSES * min(size.n, MAP_ROWS)))
    pace = measured_pace("cuda" if size.on_gpu else "cpu")
    seconds = {stage.name: stage.products / pace.products + stage.passes / pace.passes for stage in stages}
    return Forecast(method, parameters, size, search, k, int(max(stage.nbytes for stage in stages)), seconds)


def _search_kind(values: Mapping[str, Any], size: Size, against: int) -> str:
    if values.get("kernel") == "rbf":
        return ALL_PAIRS
    if values["search"] != "auto":
        return str(values["search"])
    limit = EXACT_UP_TO_CUDA if size.on_gpu else EXACT_UP_TO
    return "exact" if size.n * against <= limit * limit else "approximate"


def _float(size: Size) -> int:
    return 8 if size.double else 4


def _search(size: Size, against: int, k: int, search: str) -> Stage:
    """The `k` nearest of `against` rows for each of n."""
    n, d, f = size.n, size.d, _float(size)
    found, pairs = n * k * (8 + f), n * against
    reading = 2 * min(n, 2**22 // max(1, d)) * d * f
    exact = Stage(
        "search", found + 2.2 * f * min(pairs, BLOCK) + reading, products=2 * PRODUCT * pairs * d, passes=PAIR * pairs
    )
    if search == "exact":
        return exact
    compared = n * against**0.5  # rows near enough, by the hundred
    return Stage(
        "search",
        found + against * (d * f + 24) + NEAR_HELD * f * min(HELD["cpu"], TOGETHER * n) + 2 * BLOCK * f,
        products=min(NEAR_PRODUCT * compared * d, exact.products),
        passes=min(compared * (NEAR + NEAR_K * k), exact.passes),
    )


def _results(size: Size, values: Mapping[str, Any]) -> float:
    """Scores, distributions and what they are made from; beyond 2^28 numbers those of the best classes."""
    n, c, f = size.n, size.n_classes, _float(size)
    if n * c <= DENSE_LIMIT:
        return 4 * n * c * f
    top = min(c, values.get("top_classes") or DEFAULT_TOP)
    return n * (5 * top * (8 + f) + 6 * SOLVED * f)


def _on_graph(size: Size, values: Mapping[str, Any], k: int, search: str) -> list[Stage]:
    """A solve for all classes on a symmetric graph of nearest neighbors, or of all pairs."""
    n, c, f = size.n, size.n_classes, _float(size)
    edges = n * k if search != ALL_PAIRS else n * n
    both = BOTH_WAYS * edges if search != ALL_PAIRS else edges
    graph = both * (INDEX + f)
    steps = min(int(values.get("max_iter", CG_STEPS)), CG_STEPS)
    first = _search(size, n, k, search) if search != ALL_PAIRS else Stage("search", 0, passes=20 * edges)
    return [
        first,
        Stage(
            "graph", 2 * edges * (INDEX + f) + 2.5 * graph, passes=EDGE * edges if search != ALL_PAIRS else 50 * edges
        ),
        Stage("solve", 2.5 * graph + _results(size, values), passes=steps * c * (SPARSE * both + STEP * n)),
    ]


def _votes(size: Size, values: Mapping[str, Any], k: int, search: str) -> list[Stage]:
    """Labeled rows that vote."""
    n, d, f = size.n, size.d, _float(size)
    found = _search(size, size.n_seeds, k, search)
    times = 2 if values.get("density") else 1  # the labeled rows look for their own neighbors, too
    nbytes = max(found.nbytes, 3 * n * k * (8 + f) + _results(size, values))
    return [Stage("search", nbytes, times * found.products, times * found.passes + n * (26_000 + 220 * d))]


def _cut(size: Size, values: Mapping[str, Any], k: int, search: str) -> list[Stage]:
    """The smoothest eigenvectors of a graph, and products with them."""
    n, c, f = size.n, size.n_classes, _float(size)
    found, graph, _ = _on_graph(size, values, k, search)
    width = 1.25 * min(int(values.get("n_eigenvectors", EIGENVECTORS)), n)
    edges = BOTH_WAYS * n * k
    solve = Stage(
        "solve",
        2.5 * edges * (INDEX + f) + max(7.5 * n * width * f, n * width * f + _results(size, values)),
        products=40 * n * width**2 + 2 * n * width * c,
        passes=FILTER_STEPS * width * (edges + STEP * n),
    )
    return [found, graph, solve]


def _auto(size: Size, values: Mapping[str, Any], k: int, search: str) -> list[Stage]:
    """One search; then graphs, eigenvectors and solves of the candidates, over and over."""
    found, graph, solve = _on_graph(size, {"max_iter": CG_STEPS}, k, search)
    spectral = _cut(size, {}, k, search)[2]
    trials = Stage(
        "choice",
        3 * graph.nbytes / 2 + spectral.nbytes + 2 * _results(size, values),
        products=2 * spectral.products,
        passes=3 * graph.passes + 2 * spectral.passes + TRIALS * solve.passes / 2,
    )
    return [found, trials]


def _baselines(size: Size) -> Stage:
    """A logistic regression on the labeled rows, for some penalties and folds, and the nearest of them."""
    n, m, d, c = size.n, size.n_seeds, size.d, size.n_classes
    fits, steps = 8, 150
    nearest = _search(size, m, 1, "exact")
    return Stage(
        "baselines",
        nearest.nbytes + 3 * m * (d + c) * _float(size),
        products=nearest.products + 2 * n * d * c + fits * steps * 4 * m * d * c,
        passes=nearest.passes + n * (d + c),
    )


MODELS: dict[str, Callable[[Size, Mapping[str, Any], int, str], list[Stage]]] = {
    "weighted-knn": _votes,
    "local": _votes,
    "spectral-cut": _cut,
    "auto": _auto,
}
