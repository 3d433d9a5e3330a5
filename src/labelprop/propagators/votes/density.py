"""How dense the neighborhood of each labeled row is, in log space: local propagation divides votes by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.votes.voters import Gather, SeededRows
from labelprop.propagators.votes.votes import votes_of_matrix

PRODUCTS = {"cpu": 1 << 23, "cuda": 1 << 28}  # similarities held at once
COLUMNS = 1 << 15  # rows compared with at once


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityRule:
    """Which neighbors make the density of a labeled row: rho_i = sum over T of exp(v_i . v_j / temperature).

    The T nearest are taken among the unlabeled rows, or among all others (`pool="all"`); `density="conditional"`
    divides by the sum over all other rows.
    """

    density: str
    pool: str
    n_density: int
    temperature: float


@dataclass(frozen=True, slots=True, eq=False)
class Neighborhoods:
    """What some of the rows add to the densities of M labeled rows. Those of parts of the rows can be merged."""

    nearest_MT: torch.Tensor  # cosines to the nearest of the pool, descending; -inf where there are fewer than T
    mass_M: torch.Tensor | None  # log of the sum over all other rows, where the rule is conditional

    def gathered(self, gather: Gather, n_density: int) -> Neighborhoods:
        """Those of all rows, these being a part."""
        spare = n_density - self.nearest_MT.shape[1]  # all parts send the same shape
        sent_MT = torch.nn.functional.pad(self.nearest_MT, (0, spare), value=-torch.inf)
        found_MT = torch.cat(gather(sent_MT), dim=1).sort(dim=1, descending=True).values[:, :n_density]
        mass_M = None if self.mass_M is None else torch.stack(gather(self.mass_M)).logsumexp(dim=0)
        return Neighborhoods(found_MT, mass_M)

    def log_density(self, temperature: float) -> torch.Tensor:
        """log rho (M,). A row without any neighbor counts as dense as the least dense one; 0 where none has any."""
        log_rho_M = (self.nearest_MT / temperature).logsumexp(dim=1)
        if self.mass_M is not None:
            log_rho_M = log_rho_M - self.mass_M
        known_M = log_rho_M.isfinite()
        least = log_rho_M[known_M].min() if bool(known_M.any()) else log_rho_M.new_zeros(())
        return torch.where(known_M, log_rho_M, least)


def neighborhoods_of_rows(seeded: SeededRows, rule: DensityRule, *, search: str, seed: int) -> Neighborhoods:
    """What these rows add to the densities of all seeds; no seed counts for itself."""
    rows, labeled, places_M = seeded.rows, seeded.labeled, seeded.places_M
    looking: dict[str, Any] = {"queries": labeled, "search": search, "device": str(rows.device), "seed": seed}
    if rule.pool == "all":
        found = nearest(rows, rule.n_density + 1, **looking)
        self_MT = (found.indices_NK == places_M[:, None]) & (places_M[:, None] >= 0)
        nearest_MT = found.similarities_NK.masked_fill(self_MT, -torch.inf).sort(dim=1, descending=True).values
    elif bool(seeded.unlabeled_N.any()):
        pool = rows.subset(seeded.unlabeled_N.nonzero().squeeze(1))
        nearest_MT = nearest(pool, rule.n_density, **looking).similarities_NK
    else:
        nearest_MT = torch.empty(labeled.n, 0, dtype=rows.dtype, device=rows.device)
    with torch.autocast(rows.device.type, enabled=False):  # callers may train in bfloat16
        mass_M = _mass(rows, labeled, places_M, rule.temperature) if rule.density == "conditional" else None
    return Neighborhoods(nearest_MT[:, : rule.n_density], mass_M)


def neighborhoods_of_edges(
    edges: Edges, labeled_M: np.ndarray, unlabeled_N: np.ndarray, rule: DensityRule
) -> Neighborhoods:
    """The densities of labeled rows from what a precomputed graph stores in them."""
    stored = edges.cosines()[labeled_M]
    pool = stored if rule.pool == "all" else stored[:, np.flatnonzero(unlabeled_N)]
    nearest_MT = votes_of_matrix(pool, rule.n_density, 1.0).exponents_NK
    if rule.density != "conditional":
        return Neighborhoods(nearest_MT, None)
    every_MT = votes_of_matrix(stored, stored.shape[1], 1.0).exponents_NK
    return Neighborhoods(nearest_MT, (every_MT / rule.temperature).logsumexp(dim=1))


def _mass(rows: Rows, labeled: Rows, places_M: torch.Tensor, temperature: float) -> torch.Tensor:
    """log of the sum of exp(cos / temperature) over all rows but itself (M,); zero vectors do not count."""
    budget = PRODUCTS.get(rows.device.type, PRODUCTS["cpu"])
    mass_M = torch.full((labeled.n,), -torch.inf, dtype=rows.dtype, device=rows.device)
    for first, last in spans(labeled.n, min(rows.n, COLUMNS), budget):
        block, own_B = labeled.read(first, last), places_M[first:last]
        for start, stop in spans(rows.n, 1, COLUMNS):
            exponents_BR = rows.similarities(block, start, stop) / temperature
            exponents_BR[:, rows.zero_N[start:stop]] = -torch.inf
            inside = ((own_B >= start) & (own_B < stop)).nonzero().squeeze(1)
            exponents_BR[inside, own_B[inside] - start] = -torch.inf
            mass_M[first:last] = mass_M[first:last].logaddexp(exponents_BR.logsumexp(dim=1))
    return mass_M
