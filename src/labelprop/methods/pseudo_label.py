"""Pseudo-Label: the network's own best guess as a label, taken anew at every step (Lee 2013).

L = (1/B_L) sum_L CE(g(x), y) + alpha(t) (1/B_U) sum_U CE(g(x), argmax g(x)). alpha is 0 at first, rises linearly and
then stays. A threshold keeps guesses below it out of the sum, not out of B_U (Oliver et al. 2018).
Departs from the paper: alpha rises between two shares of the phase, here 0.1 and 0.6, where the paper says epochs 100
and 600: how long a run is depends on the data and the time there is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative, Portion


@dataclass(eq=False, repr=False, kw_only=True)
class PseudoLabel(TwoStreams):
    """Cross-entropy on given labels and on the network's own guesses of the moment.

    Parameters
    ----------
    weight : alpha once it has risen.
    ramp_from, ramp_to : shares of the phase between which alpha rises from 0 to `weight`.
    threshold : a guess counts from this probability on; None counts all (the paper).
    """

    batch_size: int = 288
    labeled_batch_size: int = 32
    weight: NotNegative = 3.0
    ramp_from: float = 0.1
    ramp_to: float = 0.6
    threshold: Portion | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.ramp_from <= self.ramp_to <= 1:
            shares = f"ramp_from={self.ramp_from} and ramp_to={self.ramp_to}"
            raise RequestError(f"{shares} must be shares, 0 to 1, in this order.")

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC, n_labeled = net(batch.joint.views_V[0])["class"], len(batch.labels_B)
        logits_UC = logits_BC[n_labeled:]
        sure_U, guess_U = logits_UC.detach().softmax(dim=1).max(dim=1)
        counts_U = torch.ones_like(sure_U) if self.threshold is None else (sure_U >= self.threshold).to(sure_U)
        terms = {
            "supervised": weighted_cross_entropy(logits_BC[:n_labeled], batch.labels_B, batch.trust_B),
            "pseudo": weighted_cross_entropy(logits_UC, guess_U, counts_U),
        }
        return LossTerms(terms, {"supervised": 1.0, "pseudo": self._alpha(progress.fraction)})

    def _alpha(self, done: float) -> float:
        if done >= self.ramp_to:
            return self.weight
        if done <= self.ramp_from:
            return 0.0
        return self.weight * (done - self.ramp_from) / (self.ramp_to - self.ramp_from)
