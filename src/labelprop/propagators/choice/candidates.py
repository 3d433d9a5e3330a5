"""What `AutoPropagation` chooses from: propagators with a number of neighbors each, and two heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.propagators.votes.vote_propagator import VotePropagator

LABELS_ONLY, SOFT_HEAD = registry.HEADS
NEIGHBORS = (10, 20, 50)
PENALTIES = (100.0, 10.0, 1000.0)

# Settings other than the defaults: the plain harmonic solution gives all rows to one class where labels are few.
SETTINGS: dict[str, dict[str, Any]] = {"label-propagation": {"reweight": "poisson"}}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method by its name; the number of neighbors of a propagator, the penalty C of the labels-only head."""

    method: str
    n_neighbors: int | None = None
    C: float | None = None

    def __str__(self) -> str:
        return self.method if self.n_neighbors is None else f"{self.method} with {self.n_neighbors} neighbors"


# The order of preference, and the accuracy (%) it rests on: benchmarks/auto_propagation.py, mean over its data sets
# at one and two labels a class.
EXPECTED: dict[Candidate, float] = {
    Candidate("spectral-cut", 10): 62.4,
    Candidate("spectral-cut", 20): 62.3,
    Candidate("label-propagation", 10): 61.9,
    Candidate("label-propagation", 20): 61.7,
    Candidate("poisson", 10): 61.0,
    Candidate("diffusion", 10): 60.9,
    Candidate("label-spreading", 10): 60.7,
    Candidate("poisson", 20): 60.5,
    Candidate("spectral-cut", 50): 60.2,
    Candidate("label-propagation", 50): 59.8,
    Candidate("diffusion", 20): 59.8,
    Candidate("label-spreading", 20): 59.6,
    Candidate(SOFT_HEAD): 59.4,
    Candidate("poisson", 50): 58.2,
    Candidate("diffusion", 50): 56.3,
    Candidate("label-spreading", 50): 56.1,
    Candidate(LABELS_ONLY): 51.2,
    Candidate("weighted-knn", 50): 48.7,
    Candidate("local", 50): 48.6,
    Candidate("weighted-knn", 20): 48.5,
    Candidate("local", 20): 48.5,
    Candidate("weighted-knn", 10): 48.4,
    Candidate("local", 10): 48.3,
}

# Where all methods are asked, spectral-cut is not beyond these: its 200 eigenvectors cannot tell more classes apart,
# and take longer than everything else on more rows.
SPECTRAL_CLASSES, SPECTRAL_ROWS = 200, 100_000


def lineup(names: Sequence[str] | None, n: int, n_classes: int, *, given_graph: bool) -> list[Candidate]:
    """Candidates in order of preference, every propagator with 10, 20 and 50 neighbors (at most n - 1).

    `names` None takes all of `EXPECTED`; methods that it does not know stand behind those, as they were named. A
    given graph is not cut: only voters, whom so many seeds inform, differ by neighbors there, and heads have no
    vectors to work on.
    """
    known = list(dict.fromkeys(candidate.method for candidate in EXPECTED))
    beyond = n_classes > SPECTRAL_CLASSES or n > SPECTRAL_ROWS
    wanted = (
        [m for m in known if not (beyond and m == "spectral-cut")] if names is None else list(dict.fromkeys(names))
    )
    ordered = [candidate for candidate in EXPECTED if candidate.method in wanted]
    ordered += [Candidate(name, k) for name in wanted if name not in known for k in NEIGHBORS]
    found = []
    for candidate in ordered:
        if candidate.method in registry.HEADS:
            found += [] if given_graph else [candidate]
        elif given_graph and not is_voter(candidate.method):
            found.append(Candidate(candidate.method))
        else:
            found.append(Candidate(candidate.method, min(candidate.n_neighbors or 1, max(n - 1, 1))))
    return list(dict.fromkeys(found))


def with_penalties(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same candidates, the labels-only head once for each penalty."""
    spread = ([replace(c, C=C) for C in PENALTIES] if c.method == LABELS_ONLY else [c] for c in candidates)
    return [candidate for group in spread for candidate in group]


def expected(candidate: Candidate) -> float:
    """Accuracy (%) to expect of a candidate; of one that the benchmark does not know, that of the least."""
    same = [value for known, value in EXPECTED.items() if known.method == candidate.method]
    return EXPECTED.get(candidate, max(same, default=min(EXPECTED.values())))


def is_voter(name: str) -> bool:
    """Whether a propagator lets labeled rows vote, without a graph of all rows."""
    return issubclass(registry.lookup("propagators", name).load(), VotePropagator)


class Names:
    """The rule of `candidates`: None, or a list of method names."""

    def problem(self, value: Any) -> str | None:
        """What is allowed, where `value` is not; else None."""
        if value is None:
            return None
        if isinstance(value, str) or not isinstance(value, Sequence) or not len(value):
            return "None or a list of method names, for example ['diffusion', 'labels-only']"
        known = [name for name in registry.table("propagators") if name != "auto"] + list(registry.HEADS)
        unknown = [name for name in value if name not in known]
        return f"a list of known names; {UnknownNameError('candidate', str(unknown[0]), known)}" if unknown else None
