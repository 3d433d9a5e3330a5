"""Weights from distributions: normalization, certainty, class balance, volume. All guard the empty cases."""

from __future__ import annotations

import math

import torch

VOLUME_STEPS = 100
CACHED = 1 << 24  # numbers worked on at once


def normalize_rows(scores_NC: torch.Tensor) -> torch.Tensor:
    """Non-negative scores divided by their row sum; a zero row becomes uniform."""
    peak_N1 = scores_NC.amax(dim=1, keepdim=True)
    empty_N1 = peak_N1 <= 0
    shares_NC: torch.Tensor = scores_NC / peak_N1.masked_fill(empty_N1, 1)  # first, so that no sum underflows
    shares_NC /= shares_NC.sum(dim=1, keepdim=True).masked_fill(empty_N1, 1)
    return shares_NC.masked_fill_(empty_N1, 1 / scores_NC.shape[1])


def entropy_certainty(distributions_NC: torch.Tensor) -> torch.Tensor:
    """1 - H(p) / log C in [0, 1] with 0 log 0 := 0; 1 where there is one class (Iscen et al. 2019, eq. 11)."""
    n_classes = distributions_NC.shape[1]
    if n_classes == 1:
        return torch.ones_like(distributions_NC[:, 0])
    blocks = torch.split(distributions_NC, max(1, CACHED // n_classes))  # entropies of all would take as much again
    entropy_N = torch.cat([torch.special.entr(block_BC).sum(dim=1) for block_BC in blocks])
    certainty_N: torch.Tensor = 1 - entropy_N / math.log(n_classes)
    return certainty_N.clamp(0, 1)


def class_weights(labels_N: torch.Tensor, n_classes: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """(labeled rows / C) / n_j for each class (C,); 0 where n_j = 0. Rows with label -1 do not count.

    Departs from Iscen et al. 2019, eq. 12, by the factor rows / C, as their code does: the loss keeps its scale.
    """
    counts_C = torch.bincount(labels_N[labels_N >= 0], minlength=n_classes).double()
    weights_C = counts_C.sum() / n_classes / counts_C.clamp_min(1)
    return weights_C.masked_fill(counts_C == 0, 0).to(dtype)


def smoothed_shares(totals_C: torch.Tensor) -> torch.Tensor:
    """Class shares estimated from the seeds' totals with one added to each class."""
    return (totals_C.double() + 1) / (totals_C.double() + 1).sum()


def volume_factors(distributions_UC: torch.Tensor, shares_C: torch.Tensor) -> torch.Tensor:
    """Factors s (C,) for which argmax_j s_j p_j hits the wanted class shares on these rows, as near as it gets.

    s_j is multiplied by (wanted_j / got_j)^e, e = 0.5 at first and halved whenever the largest gap grows: with e
    fixed the shares circle on overlapping classes. Stops within one row or after 100 steps; the best step counts.
    Classes that no row may take (column 0 throughout) are left alone and their share goes to the others.
    """
    n, n_classes = distributions_UC.shape
    factors_C = torch.ones(n_classes, dtype=torch.float64, device=distributions_UC.device)
    wanted_C = shares_C.to(factors_C.device, torch.float64).clone()
    if n:
        wanted_C[distributions_UC.amax(dim=0) <= 0] = 0
    if not n or float(wanted_C.sum()) <= 0:
        return factors_C.to(distributions_UC.dtype)
    wanted_C = wanted_C / wanted_C.sum() * n
    log_C, best_C = torch.zeros_like(factors_C), factors_C
    exponent, smallest, before = 0.5, math.inf, math.inf
    for _ in range(VOLUME_STEPS):
        factors_C = (log_C - log_C.max()).clamp_min(-60).exp()  # stays above 0 in float32
        got_C = torch.bincount((distributions_UC * factors_C).argmax(dim=1), minlength=n_classes).double()
        gap = float((got_C - wanted_C).abs().max())
        if gap < smallest:
            smallest, best_C = gap, factors_C
        if gap <= 1:
            break
        exponent = exponent / 2 if gap > before else exponent
        before = gap
        # Half a row where there is none: the factor of a class without rows grows fast, but is bounded.
        log_C = log_C + exponent * (wanted_C.clamp_min(1e-12) / got_C.clamp_min(0.5)).log()
    return best_C.to(distributions_UC.dtype)
