"""FixMatch: strong views learn what the network is sure of on weak ones (Sohn et al. 2020).

(1/B_U) sum 1[max p(x) >= threshold] CE(g(strong x), argmax p(x)), p(x) of the weak view without gradient. The whole
system is `Sum(Averaged(), FixMatch(), Supervised(over="labeled"))`: its loss is cross-entropy on the labels alone
where the threshold is above 1, though batch norm sees the other examples all the same.
"""

from __future__ import annotations

from torch.nn import functional as F

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import mean_of
from labelprop.methods import checks
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.strong_views import look, needs_of


class FixMatch(Method):
    """Cross-entropy on sure predictions.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled ones: 7 unlabeled to a labeled.
    weight : of the term.
    threshold : the probability from which a prediction counts.
    """

    def __init__(
        self, *, batch_size: int = 512, labeled_batch_size: int = 64, weight: float = 1.0, threshold: float = 0.95
    ) -> None:
        super().__init__()
        checks.at_least_zero(weight=weight, threshold=threshold)
        self.needs = needs_of(batch_size, labeled_batch_size)
        self.weight, self.threshold = weight, threshold

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        seen = look(net, batch)
        top_U, label_U = seen.weak_UC.softmax(dim=1).max(dim=1)
        losses_U = F.cross_entropy(seen.strong_UC, label_U, reduction="none")
        return LossTerms({"strong": mean_of(losses_U * (top_U >= self.threshold))}, {"strong": self.weight})
