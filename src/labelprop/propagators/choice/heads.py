"""Heads: multinomial logistic regression on unit vectors, from the given labels alone or from propagated soft ones.

A head minimizes

    sum_i w_i CE(t_i, softmax(W^T v_i + b)) / sum_i w_i + ||W||^2 / (2 C M)

over M rows v_i of length 1 with targets t_i (distributions) and weights w_i: scikit-learn's `LogisticRegression(C)`
for weights of mean 1. Rows are read in blocks at every step of L-BFGS, so that CSR stays sparse and memory-mapped
files stay on disk. Of sparse rows only columns in which the M rows hold anything have weights: those of the others
are 0 at the minimum.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from labelprop.core.errors import RequestError
from labelprop.core.types import Propagation
from labelprop.functional.weigh import normalize_rows
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows
from labelprop.graph.neighbors.sparse_rows import SparseRows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.sinks import RowSink
from labelprop.propagators.estimator.top_classes import dense_rows

LABELS_ONLY_C, SOFT_C = 100.0, 10.0
CHOICES_OF_C = (100.0, 10.0, 1000.0)  # of the labels-only head, in order of preference
LABELS_ONLY_STEPS, SOFT_STEPS = 200, 30
GRADIENT_TOLERANCE, LOSS_TOLERANCE = 1e-5, 1e-7  # largest entry, the loss being a mean; relative decrease
HISTORY = 10  # pairs that L-BFGS remembers
BLOCK_ELEMENTS = 1 << 24  # features and logits held at once
MOST_WEIGHTS = 1 << 22  # of a head that `auto` tries; L-BFGS holds some 25 times as many in float64


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """A fitted logistic regression on unit vectors; of sparse rows on some of their columns."""

    weights_DC: torch.Tensor
    bias_C: torch.Tensor
    columns_D: np.ndarray | None = None  # those that have weights; None: all

    @torch.no_grad()
    def predict(self, rows: Rows) -> Iterator[torch.Tensor]:
        """Distributions (B, C) of all rows, in blocks."""
        for start, stop in spans(rows.n, rows.stored + len(self.bias_C), BLOCK_ELEMENTS):
            yield self.logits(rows.read(start, stop)).softmax(dim=1)

    def logits(self, block: Any) -> torch.Tensor:
        """(B, C) of a block as `Rows` hands it out."""
        return _times(_cut(block, self.columns_D), self.weights_DC) + self.bias_C


def columns_in_use(rows: Rows, places_M: torch.Tensor) -> np.ndarray | None:
    """The columns of sparse rows in which some of them, those at places_M, hold anything; None for dense rows."""
    return np.unique(rows.take(places_M).indices) if isinstance(rows, SparseRows) else None


def check_size(name: str, rows: Rows, places_M: torch.Tensor, n_classes: int) -> None:
    """Raises RequestError where a head that is fitted to the rows at places_M has too many weights."""
    columns_D = columns_in_use(rows, places_M)
    n_weights = (rows.dim if columns_D is None else len(columns_D)) * n_classes
    if n_weights > MOST_WEIGHTS:
        raise RequestError(
            f"{name} would have {n_weights:,} weights, and {MOST_WEIGHTS:,} are the most that are tried. Reduce the "
            "columns first, e.g. with sklearn.decomposition.TruncatedSVD, or name a propagator."
        )


def labels_only_head(rows: Rows, seeds: Seeds, *, C: float = LABELS_ONLY_C, steps: int = LABELS_ONLY_STEPS) -> Head:
    """The head fitted to the seeds alone; a soft seed's target is its distribution."""
    return _Fit(rows, seeds, None, seeds.mask_N.nonzero().squeeze(1), C).head(steps)


def soft_head(
    rows: Rows,
    found: Propagation,
    seeds: Seeds,
    *,
    C: float = SOFT_C,
    steps: int = SOFT_STEPS,
    places_M: torch.Tensor | None = None,
) -> Head:
    """The head fitted to propagated distributions weighted by certainty; seeds count as given, with certainty 1.

    `places_M` are the rows to fit to; None takes all that are reached with any certainty.
    """
    usable_N = found.reached_N & (found.certainty_N > 0)
    places_M = usable_N.nonzero().squeeze(1) if places_M is None else places_M[usable_N[places_M]]
    return _Fit(rows, seeds, found, places_M, C).head(steps)


@torch.no_grad()
def label_all(head: Head, rows: Rows, seeds: Seeds, top: int | None = None) -> Propagation:
    """A head's distributions of all rows as a propagation; certainty is the label's share.

    All are reached but rows of zeros, which hold nothing to tell classes by.
    Where N x C > 2^28 scores and distributions are sparse CSR with the `top` (16) best classes a row.
    """
    kept, start = RowSink(seeds.to(rows.device), top, torch.empty(0, dtype=rows.dtype, device=rows.device)), 0
    for shares_BC in head.predict(rows):
        held_B = (~rows.zero_N[start : start + len(shares_BC)]).nonzero().squeeze(1)
        shares_HC = shares_BC[held_B]
        kept.put(start + held_B, shares_HC, shares_HC, shares_HC.amax(dim=1))
        start += len(shares_BC)
    return kept.concluded()


class _Fit:
    """The loss above and its gradient over M rows, added up over blocks of them.

    Targets of seeds are their labels, those of other rows the distributions that were found.
    """

    def __init__(self, rows: Rows, seeds: Seeds, found: Propagation | None, places_M: torch.Tensor, C: float) -> None:
        self._rows, self._seeds, self._found, self._places_M = rows, seeds, found, places_M
        self._columns_D = columns_in_use(rows, places_M)
        self._penalty = 1 / (C * len(places_M))
        weights_M = (seeds.weights_N if found is None else found.certainty_N)[places_M].to(rows.dtype)
        self._weights_M1 = (weights_M / weights_M.sum(dtype=torch.float64))[:, None]
        self._blocks = list(spans(len(places_M), rows.stored + seeds.n_classes, BLOCK_ELEMENTS))
        self._kept = self._read(*self._blocks[0]) if len(self._blocks) == 1 else None

    @torch.no_grad()
    def head(self, steps: int) -> Head:
        """The minimum as L-BFGS finds it from zero; loss and gradient are computed in the type of the rows."""
        from scipy.optimize import minimize  # torch's optimizers import its compiler, which takes seconds

        n_columns = self._rows.dim if self._columns_D is None else len(self._columns_D)
        shape = (n_columns + 1, self._seeds.n_classes)

        def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            W_EC = torch.from_numpy(flat.reshape(shape)).to(self._rows.device, self._rows.dtype)
            loss, gradient_EC = self._loss(W_EC)
            return float(loss), gradient_EC.double().cpu().numpy().ravel()

        limits: Any = {"maxiter": steps, "maxcor": HISTORY, "gtol": GRADIENT_TOLERANCE, "ftol": LOSS_TOLERANCE}
        # Threads of SciPy and of torch that wait for work keep each other from working: with one it takes a third.
        with ThreadpoolController().select(internal_api="openblas").limit(limits=1):
            found = minimize(loss_and_gradient, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=limits)
        fitted_EC = torch.from_numpy(found.x.reshape(shape)).to(self._rows.device, self._rows.dtype)
        return Head(fitted_EC[:-1], fitted_EC[-1], self._columns_D)

    def _loss(self, W_EC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and gradient (E, C) at W_EC (D + 1, C), whose last row is the bias."""
        loss = self._penalty / 2 * W_EC[:-1].square().sum()
        gradient_EC = self._penalty * W_EC
        gradient_EC[-1] = 0
        for start, stop in self._blocks:
            features, targets_BC, weights_B1 = self._kept or self._read(start, stop)
            log_BC = (_times(features, W_EC[:-1]) + W_EC[-1]).log_softmax(dim=1)
            loss -= (targets_BC * log_BC * weights_B1).sum()
            pull_BC = log_BC.exp_().sub_(targets_BC).mul_(weights_B1)
            gradient_EC[:-1] += _transposed_times(features, pull_BC)
            gradient_EC[-1] += pull_BC.sum(dim=0)
        return loss, gradient_EC

    def _read(self, start: int, stop: int) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Features, targets (B, C) and weights (B, 1) of some of the rows."""
        whole, places_B = len(self._places_M) == self._rows.n, self._places_M[start:stop]
        features = _cut(self._rows.read(start, stop) if whole else self._rows.take(places_B), self._columns_D)
        return features, self._targets(places_B), self._weights_M1[start:stop].to(self._rows.dtype)

    def _targets(self, places_B: torch.Tensor) -> torch.Tensor:
        seeds, dtype = self._seeds, self._rows.dtype
        if self._found is None:
            targets_BC = torch.zeros(len(places_B), seeds.n_classes, dtype=dtype, device=places_B.device)
        elif self._found.distributions_NC.layout is torch.strided:
            targets_BC = self._found.distributions_NC[places_B]
        else:
            targets_BC = dense_rows(self._found.distributions_NC, places_B)
        given_L = seeds.mask_N[places_B].nonzero().squeeze(1)
        if seeds.soft_NC is not None:
            given_LC = normalize_rows(seeds.soft_NC[places_B[given_L]])
        else:
            given_LC = torch.nn.functional.one_hot(seeds.labels_N[places_B[given_L]], seeds.n_classes)
        return targets_BC.index_copy(0, given_L, given_LC.to(targets_BC.dtype)).to(dtype)


def _cut(block: Any, columns_D: np.ndarray | None) -> Any:
    """Some columns of a block, dense or CSR."""
    return block if columns_D is None else block[:, columns_D]


def _times(block: Any, weights_DC: torch.Tensor) -> torch.Tensor:
    """A block, dense or CSR, times weights."""
    if isinstance(block, torch.Tensor):
        return block.to(weights_DC) @ weights_DC
    return torch.from_numpy(block @ weights_DC.cpu().numpy()).to(weights_DC)


def _transposed_times(block: Any, pull_BC: torch.Tensor) -> torch.Tensor:
    """The transpose of a block, dense or CSR, times (B, C)."""
    if isinstance(block, torch.Tensor):
        return (pull_BC.T @ block).T  # the other way round BLAS takes several times as long for few classes
    return torch.from_numpy(block.T @ pull_BC.cpu().numpy()).to(pull_BC)
