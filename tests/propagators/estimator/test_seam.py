"""The public seam: propagators of one's own, graphs that are built already, labels that another one found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import labelprop.propagators
from labelprop.core import registry
from labelprop.propagators import (
    AffinityGraph,
    GraphPropagator,
    Propagation,
    Propagator,
    RequestError,
    Seeds,
    conclude,
)
from labelprop.testing import check_propagator


def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(90) % 3
    X = 3 * np.eye(3, 8)[truth] + rng.normal(size=(90, 8))
    return X, np.where(np.arange(90) < 12, truth, -1), truth


class NearestSeed(Propagator):
    """Takes the label of the seed at the largest cosine: nothing but what `Propagator` asks for, and no dataclass."""

    def __init__(
        self,
        metric: str = "cosine",
        search: str = "auto",
        device: str = "auto",
        warm_start: bool = False,
        top_classes: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.metric = metric
        self.search = search
        self.device = device
        self.warm_start = warm_start
        self.top_classes = top_classes
        self.random_state = random_state
        self.verbose = verbose

    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        rows_L = seeds.mask_N.nonzero().squeeze(1)
        self.seeds_LD, self.codes_L = self._unit(given)[rows_L], seeds.labels_N[rows_L]
        cosines_NL = self._unit(given) @ self.seeds_LD.T
        crow = torch.arange(len(cosines_NL) + 1) * len(rows_L)
        col = torch.arange(len(rows_L)).repeat(len(cosines_NL))
        self.graph_, self.recall_ = AffinityGraph(crow, col, cosines_NL.flatten(), tuple(cosines_NL.shape)), 1.0
        shares_NC = torch.nn.functional.one_hot(self.codes_L[cosines_NL.argmax(dim=1)], seeds.n_classes).double()
        everywhere_N = torch.ones(seeds.n, dtype=torch.bool)
        verdict: dict[str, Any] = {"steps": 0, "residual": 0.0, "converged": True}
        return conclude(shares_NC, shares_NC, shares_NC.amax(dim=1), everywhere_N, seeds, **verdict)

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        nearest_M = self.codes_L[(self._unit(given) @ self.seeds_LD.T).argmax(dim=1)].numpy()
        yield np.eye(len(self.classes_))[nearest_M], np.ones(len(nearest_M), dtype=bool)

    def _unit(self, given: Any) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.as_tensor(np.asarray(given), dtype=torch.float64))


def test_a_propagator_of_ones_own_needs_two_functions() -> None:
    X, y, truth = blobs()
    found = NearestSeed().fit(X, y)
    assert (found.transduction_ == truth).mean() > 0.9
    assert (found.predict(X) == truth).mean() > 0.9
    with pytest.raises(RequestError, match="unknown metric 'cosin'"):
        NearestSeed(metric="cosin").validate()


def test_what_a_file_of_ones_own_needs_is_handed_on() -> None:
    for name in labelprop.propagators.__all__:
        assert getattr(labelprop.propagators, name).__module__.startswith("labelprop.")
        assert name in dir(labelprop.propagators)
    with pytest.raises(AttributeError, match="no attribute 'Propagater'"):
        labelprop.propagators.Propagater  # noqa: B018


GRAPH_METHODS = [
    name
    for name in registry.table("propagators")
    if issubclass(registry.lookup("propagators", name).load(), GraphPropagator)
]


@pytest.mark.parametrize("name", GRAPH_METHODS)
def test_on_a_graph_that_is_built_already_the_labels_are_those_of_a_search(name: str) -> None:
    X, y, _ = blobs()
    kind = registry.lookup("propagators", name).load()
    wanted = kind().fit(X, y)
    found = kind().on_graph(wanted.graph_)
    seeds = Seeds.hard(torch.from_numpy(y), 3)
    for _ in range(2):  # the second time on what was prepared at first
        np.testing.assert_array_equal(found.label(seeds).scores_NC.numpy(), wanted.scores_)


def test_one_predicts_from_the_labels_that_another_found() -> None:
    X, y, _ = blobs()
    kind = registry.lookup("propagators", "diffusion").load()
    wanted = kind().fit(X, y)
    other = kind().fit(X, np.where(y >= 0, 2 - y, y))
    other.adopt(wanted)
    np.testing.assert_array_equal(other.predict_proba(X), wanted.predict_proba(X))


def test_the_suite_says_what_such_a_one_lacks() -> None:
    with pytest.raises(AssertionError, match="NearestSeed fails"):  # it knows no unreached rows, no graphs, one type
        check_propagator(NearestSeed)
