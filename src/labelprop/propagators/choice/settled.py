"""What is settled before candidates are compared: which of them can work here, and by which metric and sharpness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

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
from labelprop.propagators.choice.selection import Tally
from labelprop.propagators.choice.shared_search import SharedSearch

Select = Callable[[list[Candidate]], list[Tally[Candidate]]]  # the candidates tried, the chosen one first


def possible(fits: CandidateFits, named: list[Candidate], seeds: Seeds) -> tuple[list[Candidate], list[str]]:
    """The candidates that can read the graph that was given, or whose head is not too large; and other methods.

    Raises RequestError or DataError with the remedy where none is left.
    """
    refused: dict[str, DataError | RequestError] = {}
    for method in dict.fromkeys(candidate.method for candidate in named):
        try:
            if method in HEADS:
                rows = fits.shared.rows()
                places_M = seeds.mask_N.nonzero().squeeze(1) if method == LABELS_ONLY else torch.arange(rows.n)
                check_size(method, rows, places_M.to(rows.device), seeds.n_classes)
            elif fits.shared.is_graph:
                propagator(method)(**fits.settings).check_graph(fits.shared.given)
        except (DataError, RequestError) as error:
            refused[method] = error
    left = [candidate for candidate in named if candidate.method not in refused]
    if not left:
        raise next(iter(refused.values()))
    if fits.base.method in refused:
        fits.base = next((candidate for candidate in left if candidate.method not in HEADS), fits.base)
    return left, list(refused)


def with_kernels(
    fits: CandidateFits, candidates: list[Candidate], metric: str, select: Select | None
) -> list[Candidate]:
    """The same candidates, those that have a choice with the metric and sharpness that serve the first of them best.

    `select` None, where no seeds can be hidden, takes the preferred ones.
    """
    trial = next((candidate for candidate in candidates if has_kernel(candidate.method)), None)
    if trial is None or metric == "precomputed":
        return candidates
    metrics = _metrics(fits.shared) if metric == "auto" else (metric,)
    kernel = Kernel(metrics[0])
    if select is not None:
        if len(metrics) > 1:
            kernel = _best(select([replace(trial, kernel=Kernel(metric)) for metric in metrics]))
        kernel = _best(select([replace(trial, kernel=replace(kernel, sharpness=value)) for value in SHARPNESS]))
    if has_kernel(fits.base.method):
        fits.base = replace(fits.base, kernel=kernel)
    return [replace(one, kernel=kernel) if has_kernel(one.method) else one for one in candidates]


def _metrics(shared: SharedSearch) -> tuple[str, ...]:
    """The metrics to try, the preferred one first."""
    if shared.of_one_length():
        return METRICS[:1]
    return METRICS[::-1] if shared.given.shape[1] <= FEW_COLUMNS else METRICS


def _best(tallies: list[Tally[Candidate]]) -> Kernel:
    kernel = tallies[0].candidate.kernel
    assert kernel is not None
    return kernel
