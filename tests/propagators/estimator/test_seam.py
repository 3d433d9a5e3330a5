"""The public seam: propagators of one's own, graphs that are built already, labels that another one found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

import labelprop.propagators
from labelprop.core import registry
from labelprop.propagators import (
    AffinityGraph,
    Count,
    Edges,
    Entry,
    GraphPropagator,
    Positive,
    Propagation,
    Propagator,
    RequestError,
    Seeds,
    conclude,
    normalize_rows,
    symmetric_sum,
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
        return conclude(shares_NC, shares_NC, shares_NC.amax(dim=1), everywhere_N, seeds)

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


@dataclass(eq=False, repr=False, kw_only=True)
class Rounds(GraphPropagator):
    """Every row takes in its neighbors' labels, in some rounds."""

    power: Positive = 3.0
    rounds: Count = 20

    graph_parameters = (*GraphPropagator.graph_parameters, "power")

    def weigh(self, edges: Edges) -> Any:
        weights = edges.cosines().copy()
        weights.data = weights.data.clip(0) ** self.power
        return weights

    def build_graph(self, weights: Any) -> AffinityGraph:
        return symmetric_sum(weights)

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        normalized = graph.normalized()
        scores_NC = y_NC = seeds.columns(range(seeds.n_classes), graph.weights_E.dtype)
        for _ in range(self.rounds):
            scores_NC = normalized.matmul(scores_NC) + y_NC
        shares_NC = normalize_rows(scores_NC)
        return conclude(scores_NC, shares_NC, shares_NC.amax(dim=1), (scores_NC > 0).any(dim=1), seeds)


def test_one_on_a_graph_needs_three_functions_and_a_line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    check_propagator(Rounds)
    with pytest.raises(RequestError, match=r"Rounds: .*rounds=0: must be a whole number >= 1"):
        Rounds(rounds=0).validate()
    entry = Entry(f"{__name__}:Rounds", "In rounds.")
    monkeypatch.setattr(registry, "_installed", lambda name: {"rounds": entry} if name == "propagators" else {})
    monkeypatch.setattr(Entry, "load", lambda self: Rounds)
    flags = registry.propagator_flags("rounds")
    assert flags == {name: getattr(Rounds(), name) for name in flags}
    assert {"power", "rounds", "n_neighbors", "metric"} <= set(flags)


def test_what_a_file_of_ones_own_needs_is_handed_on() -> None:
    for name in labelprop.propagators.__all__:
        assert getattr(labelprop.propagators, name) is not None
        assert name in dir(labelprop.propagators)
    with pytest.raises(AttributeError, match="no attribute 'Propagater'"):
        labelprop.propagators.Propagater  # noqa: B018


GRAPH_METHODS = [
    name
    for name in registry.entries("propagators")
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
    other.take_labels_of(wanted)
    np.testing.assert_array_equal(other.predict_proba(X), wanted.predict_proba(X))


def test_the_suite_says_what_such_a_one_lacks() -> None:
    with pytest.raises(AssertionError, match="NearestSeed fails"):  # it knows no unreached rows, no graphs, one type
        check_propagator(NearestSeed)
