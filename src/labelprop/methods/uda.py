"""Unsupervised data augmentation: strong views learn the sharpened prediction on weak ones (Xie et al. 2020, "UDA").

(1/B_U) sum 1[max p(x) > threshold] KL(softmax(g(x) / T) || p(strong x)), g(x) of the weak view without gradient; the
mask is by the unsharpened p and the mean is over all of B_U, masked ones included. The rest of the system are other
methods: `Sum(Averaged(), Uda(), AnnealedLabels())`. Strong views of images are those of FixMatch: two operations of
its table, each of a random strength, and cutout.
"""

from __future__ import annotations

from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import mean_of
from labelprop.methods import checks
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.strong_views import look, needs_of


class Uda(Method):
    """Divergence from sharpened predictions.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled ones.
    weight : of the term; the paper's is 1 on CIFAR-10 and 20 on ImageNet.
    threshold : beta, the probability above which a prediction counts.
    sharpening : T; below 1 targets are surer than the predictions they come from.
    """

    def __init__(
        self,
        *,
        batch_size: int = 512,
        labeled_batch_size: int = 64,
        weight: float = 1.0,
        threshold: float = 0.8,
        sharpening: float = 0.4,
    ) -> None:
        super().__init__()
        checks.at_least_zero(weight=weight, threshold=threshold)
        if not sharpening > 0:
            raise RequestError(f"sharpening={sharpening} is a temperature: it must be above 0.")
        self.needs = needs_of(batch_size, labeled_batch_size)
        self.weight, self.threshold, self.sharpening = weight, threshold, sharpening

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        seen = look(net, batch)
        target_UC = (seen.weak_UC / self.sharpening).log_softmax(dim=1)
        counted_U = seen.weak_UC.softmax(dim=1).amax(dim=1) > self.threshold
        losses_UC = F.kl_div(seen.strong_UC.log_softmax(dim=1), target_UC, reduction="none", log_target=True)
        return LossTerms({"strong": mean_of(losses_UC.sum(dim=1) * counted_U)}, {"strong": self.weight})
