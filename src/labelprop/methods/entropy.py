"""Entropy minimization: the network makes up its mind about unlabeled examples (Grandvalet & Bengio 2005).

mean H(softmax(g(x))) over the unlabeled examples of the batch. It goes with another method in a `Sum`: alone it would
call everything one class.
"""

from __future__ import annotations

from labelprop.functional.loss import mean_of
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.streams import n_labeled, two_streams
from labelprop.types import Batch, Progress


class EntropyMinimization(Method):
    """The entropy of predictions.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled ones.
    entropy_weight : of the term.
    """

    def __init__(self, *, batch_size: int = 160, labeled_batch_size: int = 32, entropy_weight: float = 1.0) -> None:
        super().__init__()
        self.needs = two_streams(batch_size, labeled_batch_size)
        self.entropy_weight = entropy_weight

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        log_shares_UC = net(batch.joint.views_V[0])["class"][n_labeled(batch) :].log_softmax(dim=1)
        entropies_U = -(log_shares_UC.exp() * log_shares_UC).sum(dim=1)
        return LossTerms({"entropy": mean_of(entropies_U)}, {"entropy": self.entropy_weight})
