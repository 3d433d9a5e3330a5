"""The candidates of `AutoPropagation`: propagators with a number of neighbors each, and two heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.core.registry import HEADS
from labelprop.core.text import counted
from labelprop.propagators.choice.heads import LABELS_ONLY_C
from labelprop.propagators.estimator.parameters import rules_of
from labelprop.propagators.votes.vote_propagator import VotePropagator

LABELS_ONLY, SOFT_HEAD = HEADS
NEIGHBORS = (20, 10, 50)  # that the first propagator is tried with, the others with the first of these


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the weights of label propagation, label spreading and Poisson are made of."""

    metric: str
    sharpness: float = 8.0  # the first to try; the defaults of methods are their own

    def __str__(self) -> str:
        return f"{self.metric}, sharpness {self.sharpness:g}"


METRICS = ("cosine", "euclidean")  # in order of preference; the other way round up to so many columns, of which the
FEW_COLUMNS = 4  # length of a row, which cosines leave out, is a large part
SHARPNESS = (8.0, 4.0, 1.0)  # in order of preference


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method by its name; the number of neighbors of a propagator, C of the labels-only head.

    `kernel` is that of methods that have a choice of it.
    """

    method: str
    n_neighbors: int | None = None
    C: float | None = None
    kernel: Kernel | None = None

    def __str__(self) -> str:
        text = (
            self.method if self.n_neighbors is None else f"{self.method} with {counted(self.n_neighbors, 'neighbor')}"
        )
        return text if self.kernel is None else f"{text} ({self.kernel})"


# Accuracy (%) with 20 neighbors and sharpness 8: benchmarks/join_table.py, mean over its data sets at one and two
# labels a class; in order of preference.
MEASURED = {
    "label-propagation": 61.3,
    SOFT_HEAD: 60.4,
    "spectral-cut": 60.2,
    "poisson": 60.0,
    "label-spreading": 58.9,
    "diffusion": 58.4,
    LABELS_ONLY: 49.5,
    "weighted-knn": 46.8,
    "local": 45.8,
}


def list_candidates(
    names: Sequence[str] | None, n: int, n_classes: int, *, given_graph: bool, metric: str = "auto"
) -> list[Candidate]:
    """Candidates in order of preference: the first propagator with 20, 10 and 50 neighbors (at most n - 1), the
    others with 20.

    `names` None takes all methods that suit so many rows and classes. Methods that were not measured stand behind
    those that were, as they were named. A given graph is not cut: there only voting propagators have a number of
    neighbors, and heads have no vectors. Propagators that do not take `metric` are left out.
    """
    if names is None:
        names = [name for name in propagators() if propagator(name).suits(n, n_classes)] + list(HEADS)
    if given_graph:
        names = [name for name in names if name not in HEADS]
    elif metric != "auto":
        names = [name for name in names if name in HEADS or takes(name, metric)]
    ordered = [name for name in MEASURED if name in names] + [name for name in names if name not in MEASURED]
    found: list[Candidate] = []
    numbers: tuple[int, ...] = NEIGHBORS
    for name in ordered:
        if name in HEADS:
            found.append(Candidate(name, C=LABELS_ONLY_C if name == LABELS_ONLY else None))
        elif not _has_neighbors(name) or (given_graph and not issubclass(propagator(name), VotePropagator)):
            found.append(Candidate(name))
        else:
            found += [Candidate(name, min(k, max(n - 1, 1))) for k in numbers]
            numbers = NEIGHBORS[:1]
    return list(dict.fromkeys(found))


def _has_neighbors(name: str) -> bool:
    return "n_neighbors" in registry.parameters("propagators", name)


def propagators() -> list[str]:
    """The names of all propagators that can be chosen."""
    return [name for name in registry.entries("propagators") if name != "auto"]


def propagator(name: str) -> Any:
    """The class of a propagator."""
    return registry.lookup("propagators", name).load()


def takes(name: str, metric: str) -> bool:
    """Whether a propagator takes this metric; one that does not say what it takes, all but "euclidean"."""
    rule = rules_of(propagator(name)).get("metric")
    return metric != "euclidean" if rule is None else rule.problem(metric) is None


def has_kernel(name: str) -> bool:
    """Whether a method has a choice of metric and sharpness."""
    return name not in HEADS and takes(name, "euclidean") and "sharpness" in registry.parameters("propagators", name)


def expected(candidate: Candidate) -> float:
    """Accuracy (%) to expect of a candidate; of a method that was not measured, the least of all."""
    return MEASURED.get(candidate.method, min(MEASURED.values()))


class CandidateNames:
    """The rule of `candidates`: a list of method names."""

    def problem(self, value: Any) -> str | None:
        """What is allowed, where `value` is not; else None."""
        if isinstance(value, str) or not isinstance(value, Sequence) or not len(value):
            return "a list of method names, for example ['diffusion', 'labels-only']"
        known = [*propagators(), *HEADS]
        unknown = [name for name in value if name not in known]
        if not unknown:
            return None
        return f"a list of known names; {UnknownNameError('candidate', unknown[0], known)}".removesuffix(".")
