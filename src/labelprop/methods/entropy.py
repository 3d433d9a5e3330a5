"""Entropy minimization: the network makes up its mind about unlabeled examples (Grandvalet & Bengio 2005).

mean H(softmax(g(x))) over the unlabeled examples of the batch. It goes with another method in a `Sum`: alone it would
call everything one class.
"""

from __future__ import annotations

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import mean_of
from labelprop.functional.two_views import entropy
from labelprop.methods import checks
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.streams import n_labeled, two_streams


class EntropyMinimization(Method):
    """The entropy of predictions.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled ones.
    entropy_weight : of the term.
    """

    def __init__(self, *, batch_size: int = 160, labeled_batch_size: int = 32, entropy_weight: float = 1.0) -> None:
        super().__init__()
        checks.at_least_zero(entropy_weight=entropy_weight)
        self.needs = two_streams(batch_size, labeled_batch_size)
        self.entropy_weight = entropy_weight

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_UC = net(batch.joint.views_V[0])["class"][n_labeled(batch) :]
        return LossTerms({"entropy": mean_of(entropy(logits_UC))}, {"entropy": self.entropy_weight})
