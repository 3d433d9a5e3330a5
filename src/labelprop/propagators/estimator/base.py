"""Propagator: the scikit-learn estimator every propagator is, around a pure propagation function.

Reading inputs, markers, verdicts and results are done here.
"""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from labelprop.core import registry
from labelprop.core.errors import DataError, RequestError
from labelprop.core.progress import say
from labelprop.core.text import counted
from labelprop.core.types import Propagation
from labelprop.data.labels.targets import read_targets
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.cost.stages import Cost, Size, graph_cost
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.inputs import read_features, read_graph, read_weights
from labelprop.propagators.estimator.parameters import Count, OneOf, Verbosity, check_parameters, rules_of
from labelprop.propagators.estimator.top_classes import compact

PRECOMPUTED = ("precomputed", "precomputed_distances")


class SearchName:
    """The rule of `search`: "auto", or a search backend by name."""

    @property
    def names(self) -> tuple[str, ...]:
        return ("auto", *registry.entries("neighbors"))

    def problem(self, value: Any) -> str | None:
        return OneOf(self.names).problem(value)


class Fitted:
    """Attributes set by `fit`. Rows of `label_distributions_` sum to 1.

    Unreached rows are uniform, have certainty 0 and the marker of y for a label.
    """

    classes_: np.ndarray  # (C,)
    scores_: Any  # (n, C), as `label_distributions_`: an array, or SciPy CSR where only some classes are kept
    label_distributions_: Any
    transduction_: np.ndarray  # (n,) labels
    certainty_: np.ndarray  # (n,) in [0, 1]; 1 on seeds
    reached_: np.ndarray  # (n,) bool
    class_weight_: np.ndarray  # (C,)
    n_iter_: int
    residual_: float
    converged_: bool
    graph_: AffinityGraph
    recall_: float | None  # of the search; None where there was none
    n_features_in_: int
    X_: Any  # features as they were fitted; of label propagation and label spreading alone, as in scikit-learn


@dataclass(eq=False, repr=False, kw_only=True)
class Propagator(ClassifierMixin, BaseEstimator, Fitted, ABC):  # type: ignore[misc]
    """Labels for all rows from a few of them, by their neighborhood. `fit` sets what `Fitted` lists.

    A subclass is a dataclass like this one, whose fields are its parameters (or has an `__init__` as scikit-learn
    asks for), and gives two functions: `spread` (labels of the fitted rows) and `votes` (distributions of new ones).
    One on a graph of all rows is shorter as a `GraphPropagator`, one whose labeled rows vote as a `VotePropagator`.
    `labelprop.testing.check_propagator` tests it, `Entry` makes its name known.

    Parameters
    ----------
    metric : "cosine"; "precomputed" takes a graph of similarities, "precomputed_distances" one of distances d, where
        cosines are wanted 1 - d^2 / 2. Some take "euclidean", too.
    search : of neighbors: "auto", "exact" or "approximate".
    device : "auto", "cpu" or "cuda".
    warm_start : on the next fit with the same X keep what does not depend on the seeds.
    top_classes : keep this many classes a row, as SciPy CSR; None keeps all up to n x C = 2^28, 16 beyond.
    random_state : for the approximate search; None gives the same answer every time.
    verbose : say on stderr how long the stages take; any number but 0 counts as True.
    """

    metric: Literal["cosine", "precomputed", "precomputed_distances"] = "cosine"
    search: Annotated[str, SearchName()] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    warm_start: bool = False
    top_classes: Count | None = None
    random_state: Any = None
    verbose: Annotated[bool, Verbosity()] = False

    # -- what a subclass gives --------------------------------------------------------------------------------

    @abstractmethod
    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        """Labels of all rows of `given` (features or Edges), on any device; warns where the verdict asks for it.

        Sets `graph_`, `recall_` and what `votes` needs.
        """

    @abstractmethod
    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Distributions (B, C) of new rows and which of them are reached (B,), in blocks of rows.

        `given` are features or Edges (m, n).
        """

    def check_seeds(self, seeds: Seeds) -> None:
        """Raises RequestError where parameters do not go with these seeds."""

    def check_graph(self, given: Edges) -> None:
        """Raises DataError for a given graph that it cannot read; by default one that holds no cosines."""
        given.cosines()

    tried_with: ClassVar[Mapping[str, Any]] = {}  # what `auto` sets where the defaults do not suit few labels

    @classmethod
    def suits(cls, n: int, n_classes: int) -> bool:
        """Whether `auto` tries it by default on this many rows and classes."""
        return True

    def cost(self, size: Size) -> Cost:
        """Memory and operations of a fit to data of this size; by default those of a solve on a neighbor graph."""
        return graph_cost(size, self.get_params(deep=False))

    # -- what it has from here --------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Spreads the labels of y over the rows of X.

        Parameters
        ----------
        X : features (n, d): array, memory-mapped array, torch tensor, frame or SciPy CSR; or, with a precomputed
            metric, a graph: SciPy CSR (n, n) or a pair (indices (n, k), values (n, k)).
        y : (n,) labels: an array, tensor, list, pandas or polars series, or Arrow array. Unlabeled is -1 or NaN in
            numbers, what is missing (None, NA, null, masked) in any, and "", "-1" and "-1.0" in text. Or floating
            (n, C >= 2) soft labels with zero or NaN rows where unlabeled.
        sample_weight : (n,) multiplies a seed's row of Y; a seed of weight 0 is an unlabeled row.

        Raises RequestError or DataError (both ValueError) naming the parameter or row.
        """
        if y is None:
            raise RequestError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y is None."
            )
        self.validate()
        given = self._checked(X, fitting=True)
        n = int(given.shape[0])
        targets = read_targets(y)
        if len(targets.codes_N) != n:
            raise DataError(
                f"y has {counted(len(targets.codes_N), 'row')} and X has {n:,}; they must belong together row by row."
            )
        seeds = targets.seeds(read_weights(sample_weight, n))
        self.check_seeds(seeds)
        self.classes_ = targets.classes
        self._targets, self._seed_codes = targets, seeds.labels_N.numpy()
        self._store(self.spread(given, seeds))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Labels (m,) of new rows from the fitted ones around them; the marker where none of these is reached."""
        codes_M = self._predicted_codes(X)  # refuses one that is not fitted
        return self._targets.decode(codes_M)

    def _predicted_codes(self, X: Any) -> np.ndarray:
        """Class numbers (m,), -1 where unreached."""
        votes = self.votes(self._checked(X, fitting=False))
        return np.concatenate([np.where(found_B, means_BC.argmax(axis=1), -1) for means_BC, found_B in votes])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Distributions (m, C) of new rows from the fitted ones around them; uniform where none of these is reached.

        With a precomputed metric X is (m, n) into the fitted rows.
        """
        return np.concatenate([means_BC for means_BC, _ in self.votes(self._checked(X, fitting=False))])

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy of `predict(X)` on the rows of y that have a label; unreached rows are wrong."""
        codes_M = self._predicted_codes(X)
        truth_M = self._targets.codes_of(y)
        if len(truth_M) != len(codes_M):
            raise DataError(
                f"y has {counted(len(truth_M), 'row')} and X has {len(codes_M):,}; they belong together row by row."
            )
        known_M = truth_M >= 0
        if not known_M.any():
            raise DataError("y holds no labels to score against: every row carries the marker.")
        weights = None if sample_weight is None else np.asarray(sample_weight)[known_M]
        return float(np.average(codes_M[known_M] == truth_M[known_M], weights=weights))

    def validate(self) -> None:
        """Raises one RequestError that names every parameter with a value it cannot have."""
        check_parameters(type(self).__name__, self.get_params(deep=False), rules_of(type(self)))

    def take_labels_of(self, fitted: Propagator) -> None:
        """Takes over the labels that another propagator found for the same rows, to predict from them."""
        names = ("classes_", "label_distributions_", "reached_", "_seed_codes", "_targets")
        self.__dict__.update({name: vars(fitted)[name] for name in names})

    def device_of(self, X: Any) -> torch.device:
        """The device to work on. Raises RequestError where there is none such."""
        available = torch.cuda.is_available()
        if self.device == "cuda" and not available:
            raise RequestError("device='cuda': torch sees no CUDA device here. Use device='auto' or 'cpu'.")
        if self.device == "auto":
            return X.device if isinstance(X, torch.Tensor) else torch.device("cuda" if available else "cpu")
        return torch.device(self.device)

    def _checked(self, X: Any, *, fitting: bool) -> Any:
        """X checked, for prediction against what was fitted: features, or Edges (n, n) or (m, n)."""
        if not fitting:
            check_is_fitted(self)
        if self.metric not in PRECOMPUTED:
            return read_features(self, X, reset=fitting)
        fitted_n = None if fitting else self.n_features_in_
        given = read_graph(X, distances=self.metric == "precomputed_distances", fitted_n=fitted_n)
        self.n_features_in_ = given.shape[1]
        return given

    def search_seed(self) -> int:
        """The seed of an approximate search."""
        return 0 if self.random_state is None else int(check_random_state(self.random_state).randint(2**31 - 1))

    def _store(self, found: Propagation) -> None:
        """Sets the attributes of the contract, as NumPy arrays."""
        if self.top_classes is not None and found.scores_NC.layout is torch.strided:
            found = compact(found, self.top_classes)
        self.scores_, self.label_distributions_ = _numpy(found.scores_NC), _numpy(found.distributions_NC)
        self.transduction_ = self._targets.decode(_numpy(found.labels_N))
        self.certainty_, self.reached_ = _numpy(found.certainty_N), _numpy(found.reached_N)
        self.class_weight_ = _numpy(found.class_weight_C)
        least = 1 if "max_iter" in self.get_params(deep=False) else 0  # scikit-learn asks for 1 there
        self.n_iter_ = max(least, found.steps)
        self.residual_, self.converged_ = found.residual, found.converged

    def say(self, text: str, started: float) -> None:
        """Reports a stage that began at `started` (`time.perf_counter`)."""
        took = f"({time.perf_counter() - started:.2f} s)"
        if self.verbose:
            print(f"{type(self).__name__} {text} {took}", file=sys.stderr)
        say(f"{text} {took}")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.metric in PRECOMPUTED
        return tags


def _numpy(tensor: torch.Tensor) -> Any:
    """A tensor as a NumPy array, a sparse one as a SciPy CSR array."""
    tensor = tensor.cpu()
    if tensor.layout is not torch.sparse_csr:
        return tensor.numpy()

    parts = (tensor.values(), tensor.col_indices(), tensor.crow_indices())
    rows, columns = tensor.shape
    return sparse.csr_array(tuple(part.numpy() for part in parts), shape=(rows, columns))
