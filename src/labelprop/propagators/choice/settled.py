"""What is settled before candidates are compared: which of them can work here, and by which metric and sharpness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from labelprop.core.errors import DataError, RequestError
from labelprop.core.registry import HEADS
from labelprop.graph.seeds import Seeds
from labelprop.propagators.choice.candidates import (
    FEW_COLUMNS,
    LABELS_ONLY,
    METRICS,
    SHARPNESS,
    Candidate,
    Kernel,
    has_kernel,
    propagator,
)
from labelprop.propagators.choice.fits import CandidateFits
from labelprop.propagators.choice.heads import check_size
from labelprop.propagators.choice.hidden import HiddenLabels
from labelprop.propagators.choice.selection import Tally
from labelprop.propagators.choice.shared_search import SharedSearch

SAMPLE = 4000  # rows that metric and sharpness are settled on, and as many seeds


def possible(
    shared: SharedSearch, settings: Mapping[str, Any], named: list[Candidate], seeds: Seeds
) -> tuple[list[Candidate], list[str]]:
    """The candidates that can read the graph that was given, or whose head is not too large; and other methods.

    Raises RequestError or DataError with the remedy where none is left.
    """
    refused: dict[str, DataError | RequestError] = {}
    for method in dict.fromkeys(candidate.method for candidate in named):
        try:
            if method in HEADS:
                rows = shared.rows()
                places_M = seeds.mask_N.nonzero().squeeze(1) if method == LABELS_ONLY else torch.arange(rows.n)
                check_size(method, rows, places_M.to(rows.device), seeds.n_classes)
            elif shared.is_graph:
                propagator(method)(**settings).check_graph(shared.given)
        except (DataError, RequestError) as error:
            refused[method] = error
    left = [candidate for candidate in named if candidate.method not in refused]
    if not left:
        raise next(iter(refused.values()))
    return left, list(refused)


def with_kernels(
    fits: CandidateFits, candidates: list[Candidate], metric: str, seeds: Seeds | None, cv: int
) -> list[Candidate]:
    """The same candidates, those that have a choice with the metric and sharpness that serve the first of them best.

    They are compared on `SAMPLE` of the rows by hiding seeds, in at most `cv` folds; without seeds that can be hidden
    (None) the preferred ones are taken.
    """
    trial = next((candidate for candidate in candidates if has_kernel(candidate.method)), None)
    if trial is None or metric == "precomputed":
        return candidates
    metrics = _metrics(fits.shared) if metric == "auto" else (metric,)
    kernel = Kernel(metrics[0])
    if seeds is not None:
        trying, seeds = _sampled(fits, seeds)
        hidden = HiddenLabels.by_content(seeds.labels_N.cpu().numpy(), cv, trying.shared.keys())
        if len(metrics) > 1:
            tried = [replace(trial, kernel=Kernel(one)) for one in metrics]
            kernel = _best(trying.select(tried, seeds, hidden))
        tried = [replace(trial, kernel=replace(kernel, sharpness=one)) for one in SHARPNESS]
        kernel = _best(trying.select(tried, seeds, hidden))
    return [replace(one, kernel=kernel) if has_kernel(one.method) else one for one in candidates]


def _sampled(fits: CandidateFits, seeds: Seeds) -> tuple[CandidateFits, Seeds]:
    """The same for some of the rows and of the seeds; for all where they are few, or where a graph is given."""
    shared = fits.shared
    if shared.is_graph or shared.n <= SAMPLE:
        return fits, seeds
    labeled_M = seeds.mask_N.nonzero().squeeze(1).cpu()
    parts = (shared.sample(torch.arange(shared.n), SAMPLE), shared.sample(labeled_M, SAMPLE))
    places_M = torch.cat(parts).unique()  # type: ignore[no-untyped-call]
    return CandidateFits(shared.of_rows(places_M), fits.classes, fits.settings), seeds.take(places_M)


def _metrics(shared: SharedSearch) -> tuple[str, ...]:
    """The metrics to try, the preferred one first."""
    if shared.of_one_length():
        return METRICS[:1]
    return METRICS[::-1] if shared.given.shape[1] <= FEW_COLUMNS else METRICS


def _best(tallies: list[Tally[Candidate]]) -> Kernel:
    kernel = tallies[0].candidate.kernel
    assert kernel is not None
    return kernel
