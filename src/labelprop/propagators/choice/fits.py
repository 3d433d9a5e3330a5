"""Candidates fitted to one data set: they share the search, graphs and prepared systems."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from labelprop.core.progress import advance, only
from labelprop.core.registry import HEADS, parameters
from labelprop.core.types import UNLABELED, Propagation
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice import heads
from labelprop.propagators.choice.candidates import LABELS_ONLY, Candidate, propagator
from labelprop.propagators.choice.evidence import MOST_CANDIDATES, Answer, gather
from labelprop.propagators.choice.hidden import HiddenLabels
from labelprop.propagators.choice.join import join, rows_of, z_scored_log
from labelprop.propagators.choice.selection import Tally, select_candidate
from labelprop.propagators.choice.shared_search import SharedSearch
from labelprop.propagators.estimator.graph_propagator import GraphPropagator

ROUGH = {"tol": 1e-2, "max_iter": 30}  # labels hardly change beyond; the chosen one is solved as its defaults say
# Rows that a soft head is fitted to, beside the seeds; the second while candidates are compared. On the data sets of
# benchmarks/join_table.py the join is right for 0.03% fewer rows than with a head fitted to all 10,000.
SOFT_SAMPLE, ROUGH_SOFT_SAMPLE = 4000, 2000
ROUGH_LABELS_ONLY_STEPS, ROUGH_SOFT_STEPS = 50, 15  # of heads, then


@dataclass(eq=False)
class CandidateFits:
    """Fits candidates to the shared rows. `settings` are the constructor's parameters that all of them get."""

    shared: SharedSearch
    classes: np.ndarray
    settings: Mapping[str, Any]
    teachers: Mapping[Candidate, float] = field(default_factory=dict)  # whose join the soft head learns from; weights
    _taught: tuple[Seeds, dict[Candidate, Propagation]] | None = None  # what they found from the last seeds
    _estimators: dict[Candidate, Any] = field(default_factory=dict)
    _graphs: dict[Any, AffinityGraph] = field(default_factory=dict)
    _heads: dict[Candidate, heads.Head] = field(default_factory=dict)

    def spread(self, candidate: Candidate, seeds: Seeds, *, rough: bool) -> Propagation:
        """Labels of all rows from a propagator, solved roughly or as its defaults say (then with its warnings)."""
        estimator = self.estimator(candidate)
        defaults = parameters("propagators", candidate.method)
        solving = {name: ROUGH[name] if rough else defaults[name] for name in ROUGH if name in defaults}
        estimator.set_params(**solving)
        with warnings.catch_warnings():
            if rough:
                warnings.simplefilter("ignore", ConvergenceWarning)
            if isinstance(estimator, GraphPropagator):
                return estimator.label(seeds)
            given = self.shared.given if self.shared.is_graph else self.shared.rows(estimator.metric)
            found: Propagation = estimator.spread(given, seeds)
            return found

    def taught(self, candidate: Candidate, seeds: Seeds) -> Propagation:
        """The same, at least roughly; of a teacher kept until other seeds come, since the soft head asks again."""
        known = self._taught[1] if self._taught is not None and self._taught[0] is seeds else {}
        found = known[candidate] if candidate in known else self.spread(candidate, seeds, rough=True)
        self._keep(candidate, seeds, found)
        return found

    def _keep(self, candidate: Candidate, seeds: Seeds, found: Propagation) -> None:
        if candidate in self.teachers:
            if self._taught is None or self._taught[0] is not seeds:
                self._taught = (seeds, {})
            self._taught[1][candidate] = found

    def reach(self, candidate: Candidate, seeds: Seeds) -> float:
        """The share of rows that a candidate can label: those in components with seeds, or with votes, or all."""
        if candidate.method in HEADS:
            return 1.0
        estimator = self.estimator(candidate)
        if not isinstance(estimator, GraphPropagator):
            return float(self.spread(candidate, seeds, rough=True).reached_N.double().mean())
        component_N = estimator.graph_.components()
        seeded = component_N[seeds.mask_N.to(component_N.device)]
        return float(torch.isin(component_N, seeded).double().mean())

    def estimator(self, candidate: Candidate) -> Any:
        """The propagator of a candidate, its graph built."""
        if candidate not in self._estimators:
            kind = propagator(candidate.method)
            neighbors = {} if candidate.n_neighbors is None else {"n_neighbors": candidate.n_neighbors}
            kernel = {} if candidate.kernel is None else asdict(candidate.kernel)
            estimator = kind(**{**self.settings, **neighbors, **kernel, **kind.tried_with})
            estimator.classes_ = self.classes
            if isinstance(estimator, GraphPropagator):
                # Methods with the same functions share a graph.
                key = (kind.weigh, kind.build_graph, candidate.n_neighbors, candidate.kernel)
                if key not in self._graphs:
                    weights = estimator.weigh(self.shared.edges(candidate.n_neighbors, estimator.metric))
                    self._graphs[key] = estimator.build_graph(weights).to(self.shared.device)
                rows = None if self.shared.is_graph else self.shared.rows(estimator.metric)
                # What is remembered there is the prepared system, which does not depend on the seeds.
                estimator.on_graph(self._graphs[key], rows, recall=self.shared.recall)
            self._estimators[candidate] = estimator
        return self._estimators[candidate]

    def forget(self, candidate: Candidate) -> None:
        """Frees a rejected candidate, and its graph where no other needs it."""
        self._estimators.pop(candidate, None)
        held = {id(estimator.graph_) for estimator in self._estimators.values() if hasattr(estimator, "graph_")}
        self._graphs = {key: graph for key, graph in self._graphs.items() if id(graph) in held}

    def head(self, candidate: Candidate, seeds: Seeds, *, rough: bool) -> heads.Head:
        """A head, fitted to the seeds alone, or to what the teachers find from them of some of the rows."""
        rows = self.shared.rows()
        seeds = seeds.to(rows.device)
        if candidate.method == LABELS_ONLY:
            steps = ROUGH_LABELS_ONLY_STEPS if rough else heads.LABELS_ONLY_STEPS
            return heads.labels_only_head(rows, seeds, C=candidate.C or heads.LABELS_ONLY_C, steps=steps)
        sample_M, steps = None, ROUGH_SOFT_STEPS if rough else heads.SOFT_STEPS
        most = ROUGH_SOFT_SAMPLE if rough else SOFT_SAMPLE
        if rows.n > most:
            every_M = self.shared.sample(torch.arange(rows.n), most).to(rows.device)
            sample_M = torch.cat([every_M, seeds.mask_N.nonzero().squeeze(1)]).unique()  # type: ignore[no-untyped-call]
        with only("search"):
            found_T = [self.taught(teacher, seeds) for teacher in self.teachers]
        found = found_T[0] if len(found_T) == 1 else join(list(self.teachers.values()), found_T, seeds)
        return heads.soft_head(rows, found, seeds, steps=steps, places_M=sample_M)

    def label(self, candidate: Candidate, seeds: Seeds) -> Propagation:
        """Labels of all rows from a propagator or a head, as their defaults say."""
        if candidate.method not in HEADS:
            found = self.spread(candidate, seeds, rough=False)
            self._keep(candidate, seeds, found)
            return found
        head = self._heads[candidate] = self.head(candidate, seeds, rough=False)
        return heads.label_all(head, self.shared.rows(), seeds, self.settings["top_classes"])

    def fitted(self, candidate: Candidate) -> Any:
        """The propagator or head behind `label`."""
        return self._heads[candidate] if candidate.method in HEADS else self.estimator(candidate)

    def select(self, candidates: list[Candidate], seeds: Seeds, hidden: HiddenLabels) -> list[Tally[Candidate]]:
        """The candidates that were tried on all folds of hidden seeds, the best one first."""
        shown_F = [hide_seeds(seeds, row_H) for row_H in hidden.folds]
        return select_candidate(
            candidates, len(shown_F), lambda one, fold: self.answer(one, shown_F[fold], hidden, fold).right_H
        )

    def gather(
        self, candidates: list[Candidate], preferred: Collection[Candidate], seeds: Seeds, hidden: HiddenLabels
    ) -> dict[Candidate, Answer]:
        """What the best candidates, and those that are preferred, say of all hidden seeds.

        All trials are one stage, "choice": of what is reported inside one only a search is passed on.
        """
        most = len(candidates) + (len(hidden.folds) - 1) * min(len(candidates), MOST_CANDIDATES)
        tried = itertools.count(1)
        shown_F = [hide_seeds(seeds, row_H) for row_H in hidden.folds]

        def ask(candidate: Candidate, fold: int) -> Answer:
            with only("search"):
                answer = self.answer(candidate, shown_F[fold], hidden, fold)
            advance("choice", next(tried), most)
            return answer

        return gather(candidates, preferred, len(hidden.folds), ask, self.forget)

    def answer(self, candidate: Candidate, shown: Seeds, hidden: HiddenLabels, fold: int) -> Answer:
        """What a candidate, fitted roughly to the seeds that a fold shows, says of those that it hides."""
        row_H = hidden.folds[fold]
        places_H = torch.from_numpy(row_H).to(self.shared.device)
        if candidate.method in HEADS:
            logits_HC = self.head(candidate, shown, rough=True).logits(self.shared.rows().take(places_H))
            shares_HC, reached_H = logits_HC.softmax(dim=1), np.ones(len(row_H), dtype=bool)
        else:
            found = self.taught(candidate, shown)
            places_H = places_H.to(found.reached_N.device)
            shares_HC, reached_H = rows_of(found.distributions_NC, places_H), found.reached_N[places_H].cpu().numpy()
        z_HC = z_scored_log(shares_HC).float().cpu().numpy() * reached_H[:, None]
        return Answer(z_HC, reached_H, hidden.labels_N[row_H])


def hide_seeds(seeds: Seeds, row_H: np.ndarray) -> Seeds:
    """The same seeds with some of them unlabeled."""
    hidden_H = torch.from_numpy(row_H).to(seeds.labels_N.device)
    labels_N = seeds.labels_N.index_fill(0, hidden_H, UNLABELED)
    soft_NC = None if seeds.soft_NC is None else seeds.soft_NC.index_fill(0, hidden_H, 0)
    return Seeds(labels_N, seeds.weights_N.index_fill(0, hidden_H, 0), seeds.n_classes, soft_NC)
