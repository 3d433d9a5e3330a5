"""Min-max features: labels by the network, trusted where features are dense (Shi, Gong, Ding, Ma, Tao, Zheng 2018).

EXPERIMENTAL: a reconstruction, since the authors' code was never published and the paper does not say all constants.

L = (1/B) sum_i r_i CE(g(x_i), y_i) + lambda MMF, with y_i given or, before every epoch, the network's most probable
class; MMF is `functional.loss.min_max_features` on features of unit length within the batch, weighted by r_i r_j. r_i
= 1 - d_i / d_max, d_i the sum of the distances from feature i to its k nearest; where the label is given, r is the
trust given with it. With several processes MMF is over the pairs within each one's part of the batch.

Chosen here, since the paper gives no values: k, the margin, lambda, and that the cross-entropy is divided by the
whole batch. Left out: the consistency between two perturbed copies that the paper may add; it is another method (see
`Sum`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.distributed import SOLO, Group
from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import min_max_features, weighted_cross_entropy
from labelprop.graph.neighbors.shared_out import nearest_by_all
from labelprop.methods.base import LossTerms, Net, Tools
from labelprop.methods.label_table import LabelTable
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.estimator.parameters import Count, NotNegative, Number

ROUNDING = 8  # of a cosine of equal vectors, in units of the type's precision


def dense_trust(
    vectors_ND: torch.Tensor, n_neighbors: int, quantile: float = 1.0, group: Group = SOLO
) -> torch.Tensor:
    """r (N,) in [0, 1]: 1 - d / d_max, d the sum of the distances to the k nearest, of vectors at length 1.

    `quantile` below 1 divides by that quantile of all d and cuts r at 0, so that one outlier does not decide on all.
    A vector of zeros is as far from everything as can be. Where all d are 0, r is 1.
    """
    found = nearest_by_all(vectors_ND, n_neighbors, group=group)
    squared_NK = 2 - 2 * found.similarities_NK.clamp(-1, 1)
    noise = ROUNDING * torch.finfo(squared_NK.dtype).eps  # the root of which would be far from 0
    d_N = squared_NK.masked_fill(squared_NK < noise, 0).sqrt().sum(dim=1)
    largest = d_N.sort().values[math.ceil(quantile * len(d_N)) - 1]
    return torch.where(largest > 0, 1 - d_N / largest, 1 - d_N.sign()).clamp_min(0)


@dataclass(eq=False, repr=False, kw_only=True)
class MinMax(LabelTable, TwoStreams):
    """Cross-entropy on given and guessed labels, and features that draw together by label. Experimental.

    Parameters
    ----------
    n_neighbors : k, whose distances make a guess trusted or not.
    quantile : of the sums of distances, by which they are divided; 1 is the largest (the paper).
    margin : squared distance of unit features from which two labels are far enough apart.
    weight : lambda, of the term on features.
    """

    n_neighbors: Count = 10
    quantile: Annotated[float, Number(0, 1, low_open=True)] = 1.0
    margin: Annotated[float, Number(0, 4)] = 1.0  # squared distances of vectors of length 1 are 0 to 4
    weight: NotNegative = 1.0

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        found, rows_B = net(batch.joint.views_V[0]), batch.joint.indices_B
        label_B, weight_B = self.label_N[rows_B], self.weight_N[rows_B]
        terms = {
            "class": weighted_cross_entropy(found["class"], label_B, weight_B),
            "features": min_max_features(F.normalize(found["feature"], dim=1), label_B, weight_B, self.margin),
        }
        return LossTerms(terms, {"class": 1.0, "features": self.weight})

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        """New guesses, and how far they are trusted."""
        outputs, given_N = tools.outputs(), self.given_N >= 0
        r_N = dense_trust(outputs["feature"], self.n_neighbors, self.quantile, tools.group).to(self.certainty_N)
        self.label_N.copy_(torch.where(given_N, self.given_N, outputs["class"].argmax(dim=1)))
        self.certainty_N.copy_(torch.where(given_N, 1.0, r_N))
        self.weight_N.copy_(torch.where(given_N, self.trust_N, r_N))
