"""Training-signal annealing: a label counts only while the network is not yet sure of it (Xie et al. 2020, "UDA").

(1 / max(kept, 1)) sum weight_i 1[p_y(x_i) <= eta] CE(g(x_i), y_i) over the labeled examples, kept the number of those
at most eta, which rises with the share t of the training done from 1/C to 1: eta = s(t) (1 - 1/C) + 1/C.
With several processes kept is the number in each one's part of the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import functional as F

from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.streams import n_labeled
from labelprop.propagators.estimator.parameters import Count, OneOf

SCHEDULES: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: t,
    "exp": lambda t: math.exp(5 * (t - 1)),
    "log": lambda t: 1 - math.exp(-5 * t),
}


@dataclass(eq=False, repr=False, kw_only=True)
class AnnealedLabels(Method):
    """Cross-entropy on labels whose predicted probability is below a rising threshold.

    Parameters
    ----------
    batch_size : labeled examples a step.
    annealing : s(t): "linear", "exp" (few labels: late) or "log" (early).
    """

    batch_size: Count = 64
    annealing: Annotated[str, OneOf(tuple(SCHEDULES))] = "linear"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs = BatchSpec(labeled=StreamSpec(self.batch_size))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_LC = net(batch.joint.views_V[0])["class"][: n_labeled(batch)]
        losses_L = F.cross_entropy(logits_LC, batch.labels_B, reduction="none")
        kept_L = torch.exp(-losses_L.detach()) <= self._most(logits_LC.shape[1], progress.fraction)
        term = (batch.trust_B.to(losses_L.dtype) * kept_L * losses_L).sum() / kept_L.sum().clamp_min(1)
        return LossTerms({"supervised": term}, {"supervised": 1.0})

    def _most(self, n_classes: int, done: float) -> float:
        """eta: the probability of the right label up to which it trains."""
        return SCHEDULES[self.annealing](done) * (1 - 1 / n_classes) + 1 / n_classes
