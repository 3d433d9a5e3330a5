"""Entropy minimization: the network makes up its mind about unlabeled examples (Grandvalet & Bengio 2005).

mean H(softmax(g(x))) over the unlabeled examples of the batch. It goes with another method in a `Sum`: alone it would
call everything one class.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import entropy, mean_of
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.streams import TwoStreams, n_labeled
from labelprop.propagators.estimator.parameters import NotNegative


@dataclass(eq=False, repr=False, kw_only=True)
class EntropyMinimization(TwoStreams):
    """The entropy of predictions.

    Parameters
    ----------
    entropy_weight : of the term.
    """

    batch_size: int = 160
    labeled_batch_size: int = 32
    entropy_weight: NotNegative = 1.0

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_UC = net(batch.joint.views_V[0])["class"][n_labeled(batch) :]
        return LossTerms({"entropy": mean_of(entropy(logits_UC))}, {"entropy": self.entropy_weight})
