"""The weights that candidates are joined with: from hidden seeds where there are enough, else from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from labelprop.core.registry import HEADS
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice.candidates import FEW_COLUMNS, LABELS_ONLY, SOFT_HEAD, Candidate, expected
from labelprop.propagators.choice.evidence import Answer
from labelprop.propagators.choice.fits import CandidateFits
from labelprop.propagators.choice.shared_search import SharedSearch
from labelprop.propagators.choice.stacking import stack

FEWEST_HIDDEN = 30  # seeds that can be hidden, for weights from what is said of them
LEAST = 0.05  # share of the weights below which a member is dropped
SHRINK = 3.0  # as many seeds' worth of loss for a weight that is one away from the table's
MORE = 0.01  # share of the rows that another candidate must reach beyond the members
MOST_NUMBERS = 1 << 24  # of z-scores that weights are fitted to

# Weights of z-scored log-distributions by labels a class and method: benchmarks/join_table.py.
TABLE: dict[int, dict[str, float]] = {
    1: {"label-propagation": 1.05, SOFT_HEAD: 0.75},
    2: {"label-propagation": 1.4, SOFT_HEAD: 0.8, LABELS_ONLY: 0.15},
    5: {"label-propagation": 1.65, SOFT_HEAD: 0.6, LABELS_ONLY: 0.4},
}
# Of what teaches the soft head, and of members where there is no head. Not fitted: on the draws of that benchmark
# others between 0.3 and 0.6 gave the same to 0.1 points, and label propagation alone as a teacher 0.1 to 0.2 less.
GRAPHS = {"label-propagation": 1.0, "spectral-cut": 0.4, "poisson": 0.4}


def by_length(shared: SharedSearch, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Of few columns those candidates that see how long a row is, if any do; else all.

    The others and the heads compare directions, which say too little there for a weight without evidence.
    """
    few = not shared.is_graph and shared.given.shape[1] <= FEW_COLUMNS
    return [one for one in candidates if few and one.kernel and one.kernel.metric == "euclidean"] or list(candidates)


def table_weights(candidates: Sequence[Candidate], labels_a_class: float) -> dict[Candidate, float]:
    """The table's weights of those among the candidates that have one; their sum is that of the whole row."""
    row = TABLE[min(TABLE, key=lambda labels: abs(np.log(max(labels_a_class, 1) / labels)))]
    return weighed(candidates, row if any(one.method in HEADS for one in candidates) else GRAPHS)


def weighed(candidates: Sequence[Candidate], row: Mapping[str, float]) -> dict[Candidate, float]:
    """The weights of a row of the table, each for the first candidate of its method; their sum is that of the row."""
    firsts = {one.method: one for one in reversed(candidates)}
    found = {firsts[method]: weight for method, weight in row.items() if method in firsts}
    scale = sum(row.values()) / sum(found.values()) if found else 1
    return {one: weight * scale for one, weight in found.items()}


def teachers(shared: SharedSearch, candidates: Sequence[Candidate]) -> dict[Candidate, float]:
    """The propagators whose join a soft head among the candidates learns from, with their weights."""
    if SOFT_HEAD not in {one.method for one in candidates}:
        return {}
    graphs = by_length(shared, [one for one in candidates if one.method not in HEADS])
    return weighed(graphs, GRAPHS) or {graphs[0]: 1.0}


def stacked_weights(answers: Mapping[Candidate, Answer], prior: Mapping[Candidate, float]) -> dict[Candidate, float]:
    """The weights that serve hidden seeds best, shrunk toward `prior`; members with little weight are dropped.

    Where guessing serves them as well, all weights are nearly 0: the members are those of `prior` then, and unsure.
    """
    members, least = list(answers), LEAST * sum(prior.values())
    while True:
        z_MHC = np.stack([answers[one].z_HC for one in members])
        label_H = answers[members[0]].label_H
        n_used = max(FEWEST_HIDDEN, MOST_NUMBERS // (len(members) * z_MHC.shape[2]))
        prior_M = np.array([prior.get(one, 0) for one in members])
        weights_M = stack(z_MHC[:, :n_used], label_H[:n_used], prior_M, SHRINK)
        if weights_M.sum() <= least:
            return heaviest_first({one: LEAST * weight for one, weight in prior.items()} or {members[0]: LEAST})
        kept = [one for one, weight in zip(members, weights_M, strict=True) if weight >= LEAST * weights_M.sum()]
        if len(kept) == len(members) or not kept:
            return heaviest_first(dict(zip(members, weights_M.tolist(), strict=True)))
        members = kept


def heaviest_first(weights: Mapping[Candidate, float]) -> dict[Candidate, float]:
    """The same without members of little weight, in order of weight (ties as they stood)."""
    least = LEAST * sum(weights.values())
    return dict(sorted(((one, w) for one, w in weights.items() if w >= least), key=lambda item: -item[1]))


def with_all_reached(
    fits: CandidateFits, candidates: Sequence[Candidate], weights: Mapping[Candidate, float], seeds: Seeds
) -> dict[Candidate, float]:
    """The same, and where members leave rows to one that reaches more, that one with the least weight.

    Where none of the candidates has a weight, the one of which most is expected has them all; rows that a candidate
    does not reach count as wrong.
    """
    weights = dict(weights)
    reach = {one: fits.reach(one, seeds) for one in weights}
    most = max(reach.values(), default=0.0)
    others = [one for one in candidates if one not in weights] if most < 1 else []
    best, promise = None, 0.0
    for one in sorted(others, key=lambda one: -expected(one)):
        if expected(one) > promise:
            reached = fits.reach(one, seeds)
            if reached > most + MORE and expected(one) * reached > promise:
                best, promise = one, expected(one) * reached
    if best is not None:
        weights[best] = max(sum(weights.values()) * LEAST / (1 - LEAST), LEAST)
    return weights


def shares_text(weights: Mapping[Candidate, float]) -> str:
    """The members with their shares of the weights, in words."""
    if len(weights) == 1:
        return f"{next(iter(weights))} alone"
    total = sum(weights.values())
    return "joined: " + ", ".join(f"{one} {weight / total:.0%}" for one, weight in weights.items())
