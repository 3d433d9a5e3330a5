"""The candidates of `AutoPropagation`: propagators with a number of neighbors each, and two heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.core.registry import HEADS
from labelprop.core.text import counted
from labelprop.propagators.choice.heads import CHOICES_OF_C
from labelprop.propagators.estimator.parameters import rules_of
from labelprop.propagators.votes.vote_propagator import VotePropagator

LABELS_ONLY, SOFT_HEAD = HEADS
NEIGHBORS = (10, 20, 50)  # that each propagator is tried with


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


# Accuracy (%) by number of neighbors: benchmarks/auto_propagation.py, mean over its data sets at one and two labels a
# class, by cosine and with sharpness 1.
MEASURED: dict[str, dict[int | None, float]] = {
    "spectral-cut": {10: 62.4, 20: 62.3, 50: 60.2},
    "label-propagation": {10: 61.9, 20: 61.7, 50: 59.8},
    "poisson": {10: 61.0, 20: 60.5, 50: 58.2},
    "diffusion": {10: 60.9, 20: 59.8, 50: 56.3},
    "label-spreading": {10: 60.7, 20: 59.6, 50: 56.1},
    SOFT_HEAD: {None: 59.4},
    LABELS_ONLY: {None: 51.2},
    "weighted-knn": {10: 48.4, 20: 48.5, 50: 48.7},
    "local": {10: 48.3, 20: 48.5, 50: 48.6},
}
# In order of preference.
EXPECTED = {Candidate(method, k): accuracy for method, row in MEASURED.items() for k, accuracy in row.items()}
EXPECTED = dict(sorted(EXPECTED.items(), key=lambda item: -item[1]))


def list_candidates(
    names: Sequence[str] | None, n: int, n_classes: int, *, given_graph: bool, metric: str = "auto"
) -> list[Candidate]:
    """Candidates in order of preference, every propagator with 10, 20 and 50 neighbors (at most n - 1).

    `names` None takes all methods that suit so many rows and classes. Methods that were not measured stand behind
    those that were, as they were named. A given graph is not cut: there only voting propagators differ by their
    number of neighbors, and heads have no vectors. The labels-only head has several C. Propagators that do not take
    `metric` are left out.
    """
    if names is None:
        names = [name for name in propagators() if propagator(name).suits(n, n_classes)] + list(HEADS)
    if metric != "auto":
        names = [name for name in names if name in HEADS or takes(name, metric)]
    ordered = [candidate for candidate in EXPECTED if candidate.method in names]
    for name in names:
        if name not in MEASURED:
            has_neighbors = "n_neighbors" in registry.parameters("propagators", name)
            ordered += [Candidate(name, k) for k in (NEIGHBORS if has_neighbors else (None,))]
    found = []
    for candidate in ordered:
        method, k = candidate.method, candidate.n_neighbors
        if method in HEADS:
            choices = CHOICES_OF_C if method == LABELS_ONLY else (None,)
            found += [Candidate(method, C=C) for C in choices if not given_graph]
        elif k is None or (given_graph and not issubclass(propagator(method), VotePropagator)):
            found.append(Candidate(method))
        else:
            found.append(Candidate(method, min(k, max(n - 1, 1))))
    return list(dict.fromkeys(found))


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
    least, candidate = min(EXPECTED.values()), replace(candidate, kernel=None)
    return EXPECTED.get(candidate, max(MEASURED.get(candidate.method, {None: least}).values()))


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
