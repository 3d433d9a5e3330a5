"""FreeMatch: FixMatch with thresholds that the network's own confidence sets (Wang et al. 2023).

tau is the average over steps of the mean of max p, p~ that of the mean of p, h~ that of the histogram of argmax p,
all on weak views of unlabeled examples, each from 1/C on. Class c passes from tau p~(c) / max p~ on. Fairness adds
w_f sum_c a(c) log b(c), a = SumNorm(p~ / h~), b = SumNorm(pbar / hbar), with pbar the mean and hbar the argmax
histogram of those strong views that passed; a class that hbar lacks is left out, where it gets no gradient anyway.
With several processes pbar and hbar are of each one's part of the batch.

The averages must forget where they started long before the training ends: tau starts at 1/C, and until it has risen
nearly every prediction counts. The paper has a million steps and a memory of a thousand.

Departs from the released code: thresholds of a step are those from before it, not with its own batch blended in.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.types import Batch, Progress, Task
from labelprop.functional.loss import mean_of
from labelprop.methods.base import LossTerms, Net, Outputs
from labelprop.methods.strong_views import StrongViews, look
from labelprop.propagators.estimator.parameters import NotNegative, Share

REMEMBERED = 10  # one part of so many of all steps
LONGEST = 1000  # steps, of momentum 0.999


@dataclass(eq=False, repr=False, kw_only=True)
class FreeMatch(StrongViews):
    """Cross-entropy on predictions surer than is usual, and fairness among classes.

    Parameters
    ----------
    fairness : w_f, 0.01 to 0.05 in the paper; 0 leaves it out.
    momentum : of the averages over steps; None: a memory of a tenth of the steps, at most the paper's 0.999.
    """

    fairness: NotNegative = 0.01
    momentum: Share | None = None

    confidence: torch.Tensor = field(init=False)
    shares_C: torch.Tensor = field(init=False)
    histogram_C: torch.Tensor = field(init=False)
    given_N: torch.Tensor = field(init=False)

    def setup(self, net: nn.Module, task: Task) -> None:
        even_C = torch.full((task.n_classes,), 1 / task.n_classes)
        self.register_buffer("confidence", even_C[0].clone())
        self.register_buffer("shares_C", even_C.clone())
        self.register_buffer("histogram_C", even_C.clone())
        self.register_buffer("given_N", task.labels_N >= 0)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        seen = look(net, batch)
        top_U, label_U = seen.weak_UC.softmax(dim=1).max(dim=1)
        passed_U = top_U >= self._thresholds()[label_U]
        losses_U = F.cross_entropy(seen.strong_UC, label_U, reduction="none")
        terms, weights = {"strong": mean_of(losses_U * passed_U)}, {"strong": self.weight}
        if self.fairness:
            terms["fairness"] = self._fairness(seen.strong_UC[passed_U])
            weights["fairness"] = self.fairness
        return LossTerms(terms, weights, {"weak": seen.weak_BC.detach()})

    def _thresholds(self) -> torch.Tensor:
        """Of each class, (C,)."""
        return self.shares_C / self.shares_C.max() * self.confidence

    def _fairness(self, strong_KC: torch.Tensor) -> torch.Tensor:
        """sum_c a(c) log b(c) over the classes that the passed strong views are predicted as."""
        shares_KC = strong_KC.softmax(dim=1)
        counts_C = torch.bincount(shares_KC.argmax(dim=1), minlength=shares_KC.shape[1])
        there_C = counts_C > 0
        wanted_C = _sum_norm(self.shares_C / self.histogram_C.clamp_min(torch.finfo(self.histogram_C.dtype).tiny))
        ratio_C = shares_KC.sum(dim=0)[there_C] / counts_C[there_C]
        return (wanted_C[there_C] * _sum_norm(ratio_C).log()).sum()

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        weak_UC = outputs["weak"][~self.given_N[batch.joint.indices_B]].softmax(dim=1)
        if not len(weak_UC):
            return
        top_U, label_U = weak_UC.max(dim=1)
        counts_C = torch.bincount(label_U, minlength=weak_UC.shape[1])
        momentum = memory(progress.total_steps) if self.momentum is None else self.momentum
        for average, now in (
            (self.confidence, top_U.mean()),
            (self.shares_C, weak_UC.mean(dim=0)),
            (self.histogram_C, counts_C / len(label_U)),
        ):
            average.lerp_(now.to(average), 1 - momentum)


def memory(steps: int) -> float:
    """The momentum that remembers a tenth of so many steps, and at most as many as in the paper."""
    return 1 - 1 / min(LONGEST, max(1, steps / REMEMBERED))


def _sum_norm(values_C: torch.Tensor) -> torch.Tensor:
    return values_C / values_C.sum()
