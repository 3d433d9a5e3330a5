"""Unsupervised data augmentation: strong views learn the sharpened prediction on weak ones (Xie et al. 2020, "UDA").

(1/B_U) sum 1[max p(x) > threshold] KL(softmax(g(x) / T) || p(strong x)), g(x) of the weak view without gradient; the
mask is by the unsharpened p and the mean is over all of B_U, masked ones included. The rest of the system are other
methods: `Sum(Averaged(), Uda(), AnnealedLabels())`. Strong views of images are those of FixMatch: two operations of
its table, each of a random strength, and cutout.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch.nn import functional as F

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import mean_of
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.strong_views import StrongViews, look
from labelprop.propagators.estimator.parameters import NotNegative, Positive


@dataclass(eq=False, repr=False, kw_only=True)
class Uda(StrongViews):
    """Divergence from sharpened predictions.

    Parameters
    ----------
    weight : of the term; the paper's is 1 on CIFAR-10 and 20 on ImageNet.
    threshold : beta, the probability above which a prediction counts.
    sharpening : T; below 1 targets are surer than the predictions they come from.
    """

    threshold: NotNegative = 0.8
    sharpening: Positive = 0.4

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        seen = look(net, batch)
        target_UC = (seen.weak_UC / self.sharpening).log_softmax(dim=1)
        counted_U = seen.weak_UC.softmax(dim=1).amax(dim=1) > self.threshold
        losses_UC = F.kl_div(seen.strong_UC.log_softmax(dim=1), target_UC, reduction="none", log_target=True)
        return LossTerms({"strong": mean_of(losses_UC.sum(dim=1) * counted_U)}, {"strong": self.weight})
