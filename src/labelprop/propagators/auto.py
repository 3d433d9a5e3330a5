"""AutoPropagation: propagators and classifier heads, joined by how they do on hidden seeds of the data at hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, Self

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.progress import only
from labelprop.core.registry import HEADS
from labelprop.core.text import counted
from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice.candidates import (
    NEIGHBORS,
    SOFT_HEAD,
    Candidate,
    CandidateNames,
    list_candidates,
    propagator,
    propagators,
)
from labelprop.propagators.choice.fits import CandidateFits
from labelprop.propagators.choice.hidden import FEWEST, HiddenLabels
from labelprop.propagators.choice.join import join
from labelprop.propagators.choice.members import Member, joined_votes
from labelprop.propagators.choice.settled import possible, with_kernels
from labelprop.propagators.choice.shared_search import SharedSearch
from labelprop.propagators.choice.shown import choice_html
from labelprop.propagators.choice.weighing import (
    FEWEST_HIDDEN,
    GRAPHS,
    by_length,
    heaviest_first,
    shares_text,
    stacked_weights,
    table_weights,
    teachers,
    with_all_reached,
)
from labelprop.propagators.cost.stages import Cost, Size, Stage, graph_cost, result_bytes
from labelprop.propagators.cost.trials import folds_of, solves_of, trials
from labelprop.propagators.estimator.base import Propagator
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.graph_propagator import GraphPropagator
from labelprop.propagators.estimator.parameters import Number
from labelprop.propagators.estimator.warm import fingerprint
from labelprop.propagators.spectral_cut import SpectralCut

GRAPHS_BUILT = 2.0  # with 50 neighbors, in time: those of candidates have fewer; measured with benchmarks/forecast.py
CHOICE_SECONDS = 1.0  # of all trials, where they are small


@dataclass(eq=False, repr=False, kw_only=True)
class AutoPropagation(Propagator):
    """Joins propagators, each with its number of neighbors, and classifier heads; `reason_` says which and why.

    Scores are the weighted sum of the members' z-scored log-distributions (`choice/join.py`), over the members that
    reach a row: by a table, label propagation with 20 neighbors and the heads. Where at least 30 seeds can be hidden
    (those of classes with three or more), each candidate says what the hidden ones are, and the weights are fitted to
    that, shrunk toward the table's. Members below 5% are dropped; one alone answers as if fitted by itself. Folds are
    dealt by what rows hold, so the order of rows does not matter. All propagators are candidates with 20 neighbors,
    label propagation (reweighted toward the seeds) also with 10 and 50; the heads are logistic regressions on unit
    vectors, fitted to the seeds alone ("labels-only") or to what label propagation, the spectral cut and Poisson say
    together, weighted by certainty and for at most 4,000 rows ("soft-head"). Metric and sharpness of label
    propagation, label spreading and Poisson are settled first, by label propagation on 4,000 of the rows and as many
    of the seeds: cosine (up to four columns "euclidean") and sharpness 8, unless hidden seeds speak for another.

    A given graph is tried by the methods that can read it: negative similarities leave out label propagation, label
    spreading and Poisson, distances above 2 the methods that read cosines off them. Heads of more than 4 million
    weights are left out.

    Parameters
    ----------
    metric : "auto": "cosine" and, where rows differ in length, "euclidean"; or one of them ("euclidean": the methods
        that take it, and the heads), or a given graph, as elsewhere.
    candidates : names of propagators, "labels-only" and "soft-head"; None takes all. A graph that was given has no
        vectors, so no heads.
    cv : folds of hidden seeds.

    With `warm_start` the search is kept. Other parameters and attributes: see `Propagator`. It sets `members_` (name,
    settings and share of the weights of each, heaviest first), `method_` (the heaviest), `n_neighbors_`, `metric_`,
    `sharpness_`, `graph_` and `recall_` (of the heaviest on a graph; None where it has none), `reason_`, and
    `trials_`: of each candidate that was tried on all hidden seeds its name, number of neighbors, seeds labeled
    right, and seeds; members first, empty where none were hidden. `certainty_` is the share of the label.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.auto import AutoPropagation
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> found = AutoPropagation(candidates=["labels-only"]).fit(X, [0, -1, 1, -1])
    >>> found.transduction_
    array([0, 0, 1, 1])
    """

    metric: Literal["auto", "cosine", "euclidean", "precomputed", "precomputed_distances"] = "auto"  # type: ignore[assignment]
    candidates: Annotated[Any, CandidateNames()] | None = None
    cv: Annotated[int, Number(2, whole=True)] = 5

    def cost(self, size: Size) -> Cost:
        """One search; then graphs, eigenvectors and solves of the candidates, votes and heads, fold by fold."""
        found = graph_cost(size, {"n_neighbors": max(NEIGHBORS), "search": self.search})
        search, graph, solve = found.stages
        spectral = SpectralCut(n_neighbors=max(NEIGHBORS), search=self.search).cost(size).stages[-1]
        every = {name for name in propagators() if propagator(name).suits(size.n, size.n_classes)} | {*HEADS}
        names = {*self.candidates} if self.candidates else every
        folds, tried = folds_of(size, self.cv), names.difference(HEADS)
        beside = trials(size, names, folds)
        cut = spectral if "spectral-cut" in names else Stage("none", 0)
        choice = Stage(
            "choice",
            1.5 * graph.nbytes + (cut.nbytes or beside.nbytes) + 2 * result_bytes(size, self.top_classes),
            products=cut.products + beside.products,
            passes=GRAPHS_BUILT * graph.passes
            + cut.passes
            + solves_of(len(tried), folds) * solve.passes
            + beside.passes,
            fixed=CHOICE_SECONDS * len(names) / len(every) * (1 + folds) / 6,
        )
        return replace(found, stages=(search, choice))

    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        shared = self._shared(given)
        listing: dict[str, Any] = {"given_graph": shared.is_graph, "metric": self.metric}
        named = list_candidates(self.candidates, shared.n, seeds.n_classes, **listing)
        if not named:
            raise RequestError(
                f"candidates={self.candidates}: none can work with metric={self.metric!r}, since heads need vectors, "
                "and not every method takes every metric. Name a propagator as well, or fit on vectors."
            )
        settings: dict[str, Any] = {"metric": self.metric if shared.is_graph else "cosine", "search": self.search}
        settings |= {"random_state": self.random_state, "device": shared.device.type, "top_classes": self.top_classes}
        candidates, left_out = possible(shared, settings, named, seeds)
        fits = CandidateFits(shared, self.classes_, settings)
        started = time.perf_counter()
        members, self.reason_ = self._weighed(fits, candidates, seeds)
        if left_out:
            self.reason_ += f" Left out: {', '.join(left_out)}."
        self.say(f"choice: {self.reason_}", started)
        return self._finish(fits, members, seeds)

    def _weighed(
        self, fits: CandidateFits, candidates: list[Candidate], seeds: Seeds
    ) -> tuple[dict[Candidate, float], str]:
        """The members with their weights, heaviest first, and the reason; sets `trials_`."""
        labels_N, self.trials_ = seeds.labels_N.cpu().numpy(), []
        counts_C = np.bincount(labels_N[labels_N >= 0], minlength=seeds.n_classes)
        a_class = float(counts_C.sum() / max((counts_C > 0).sum(), 1))
        n_hideable = int(counts_C[counts_C >= FEWEST].sum())
        enough = n_hideable >= FEWEST_HIDDEN
        silent = [] if any(one.method not in HEADS for one in candidates) else self._silent(fits, seeds)
        with only("search"):
            settled = with_kernels(fits, [*candidates, *silent], self.metric, seeds if enough else None, self.cv)
        candidates = settled[: len(candidates)]
        fits.teachers = teachers(fits.shared, settled)
        table = table_weights(by_length(fits.shared, candidates), a_class)
        if not enough:
            with only("search"):
                weights = heaviest_first(with_all_reached(fits, candidates, table, seeds))
            few = "none" if not n_hideable else f"{n_hideable}"
            why = f"{few} of the seeds can be hidden, {FEWEST_HIDDEN} are the fewest that say enough"
            return weights, f"{shares_text(weights)}, by the table for {a_class:.3g} labels a class: {why}."
        hidden = HiddenLabels.by_content(labels_N, self.cv, fits.shared.keys())
        answers = fits.gather(candidates, [*table, *fits.teachers], seeds, hidden)
        weights = stacked_weights(answers, table)
        order = [*weights, *sorted(answers.keys() - weights.keys(), key=lambda one: -answers[one].right)]
        self.trials_ = [(one.method, one.n_neighbors, answers[one].right, hidden.n) for one in order]
        right = ", ".join(f"{one.method} {answers[one].right}" for one in weights)
        return weights, (
            f"{shares_text(weights)}, by {hidden.n} hidden seeds ({counted(len(hidden.folds), 'fold')}; "
            f"right alone: {right})."
        )

    def _silent(self, fits: CandidateFits, seeds: Seeds) -> list[Candidate]:
        """Propagators that only teach the soft head, where heads alone are named."""
        every = list_candidates(None, fits.shared.n, seeds.n_classes, given_graph=False, metric=self.metric)
        return [one for one in every if one.method in GRAPHS]

    def _shared(self, given: Any) -> SharedSearch:
        """The search that all share; with `warm_start` that of the last fit, if X is the same."""
        device = self.device_of(given)
        if isinstance(given, Edges):
            return SharedSearch(given, device, self.search, 0, self.say)
        key = (fingerprint(given), self.search, self.search_seed(), str(device)) if self.warm_start else None
        known = getattr(self, "_searched", None)
        if known is None or key is None or known[0] != key:
            known = (key, SharedSearch(given, device, self.search, self.search_seed(), self.say))
        self._searched = known if self.warm_start else None
        shared: SharedSearch = known[1]
        return shared

    def _finish(self, fits: CandidateFits, weights: dict[Candidate, float], seeds: Seeds) -> Propagation:
        """The members' labels of all rows, joined; sets fitted attributes and what prediction needs."""
        found_M = [fits.label(one, seeds) for one in weights]
        self._members = [Member(one, weight, fits.fitted(one)) for one, weight in weights.items()]
        self._found_M: list[Propagation] = found_M
        total = sum(weights.values())
        self.members_ = [(one.method, _settings(one), weight / total) for one, weight in weights.items()]
        self._describe(fits, list(weights))
        if len(found_M) == 1:
            return replace(found_M[0], certainty_N=_share_of_label(found_M[0], seeds))
        return join(list(weights.values()), found_M, seeds, self.top_classes)

    def _describe(self, fits: CandidateFits, members: list[Candidate]) -> None:
        """Sets what is said of the heaviest member, and of the heaviest on a graph."""
        self.method_ = members[0].method
        if SOFT_HEAD in {one.method for one in members}:
            self.reason_ += f" The soft head learned from {shares_text(fits.teachers)}."
        graphs = [one for one in self._members if one.candidate.method not in HEADS]
        for one in graphs:
            if isinstance(one.fitted, GraphPropagator):
                one.fitted.forget()
        taught = heaviest_first(fits.teachers) if self.method_ == SOFT_HEAD else {}
        heaviest = graphs[0].candidate if graphs else next(iter(taught), members[0])
        self.n_neighbors_ = heaviest.n_neighbors
        kernel = graphs[0].candidate.kernel if graphs else None
        self.metric_ = kernel.metric if kernel else fits.settings["metric"]
        self.sharpness_ = kernel.sharpness if kernel else None
        self.graph_: AffinityGraph = graphs[0].fitted.graph_ if graphs else fits.shared.graph("cosine")
        self.recall_ = graphs[0].fitted.recall_ if graphs else fits.shared.recall

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        super().fit(X, y, sample_weight)
        for member, found in zip(self._members, self._found_M, strict=True):
            member.take_labels(self, found)
        del self._found_M
        return self

    def _repr_html_inner(self) -> str:
        own = choice_html(self) if hasattr(self, "method_") else ""
        return own + str(super()._repr_html_inner())

    def _repr_mimebundle_(self, **options: Any) -> dict[str, str]:
        """What was chosen, above scikit-learn's diagram of the parameters."""
        found: dict[str, str] = super()._repr_mimebundle_(**options)
        if "text/html" in found:
            found["text/html"] = self._repr_html_inner()
        return found

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return joined_votes(self._members, given, len(self.classes_))


def _settings(candidate: Candidate) -> dict[str, Any]:
    """What a member was fitted with beside what all share."""
    kernel = asdict(candidate.kernel) if candidate.kernel else {}
    given = {"n_neighbors": candidate.n_neighbors, "C": candidate.C, **kernel}
    tried = {} if candidate.method in HEADS else propagator(candidate.method).tried_with
    return {name: value for name, value in given.items() if value is not None} | dict(tried)


def _share_of_label(found: Propagation, seeds: Seeds) -> torch.Tensor:
    """Certainty of the contract: the label's share of the distribution; 1 on seeds, 0 where unreached.

    Of sparse results the share among the classes that were kept.
    """
    shares = found.distributions_NC
    if shares.layout is torch.strided:
        largest_N = shares.amax(dim=1)
    else:
        counts_N = shares.crow_indices().diff()
        largest_N = torch.segment_reduce(shares.values(), "max", lengths=counts_N)
    mask_N = seeds.mask_N.to(largest_N.device)
    return largest_N.masked_fill(~found.reached_N, 0).masked_fill(mask_N, 1)
