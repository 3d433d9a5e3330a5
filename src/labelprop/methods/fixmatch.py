"""FixMatch: strong views learn what the network is sure of on weak ones (Sohn et al. 2020).

(1/B_U) sum 1[max p(x) >= threshold] CE(g(strong x), argmax p(x)), p(x) of the weak view without gradient. The whole
system is `Sum(Averaged(), FixMatch(), Supervised(over="labeled"))`: its loss is cross-entropy on the labels alone
where the threshold is above 1, though batch norm sees the other examples all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch.nn import functional as F

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import mean_of
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.strong_views import StrongViews, look
from labelprop.propagators.estimator.parameters import NotNegative


@dataclass(eq=False, repr=False, kw_only=True)
class FixMatch(StrongViews):
    """Cross-entropy on sure predictions.

    Parameters
    ----------
    threshold : the probability from which a prediction counts.
    """

    threshold: NotNegative = 0.95

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        seen = look(net, batch)
        top_U, label_U = seen.weak_UC.softmax(dim=1).max(dim=1)
        losses_U = F.cross_entropy(seen.strong_UC, label_U, reduction="none")
        return LossTerms({"strong": mean_of(losses_U * (top_U >= self.threshold))}, {"strong": self.weight})
