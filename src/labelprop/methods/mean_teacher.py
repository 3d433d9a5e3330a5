"""Mean Teacher: the network agrees with a slow average of itself (Tarvainen & Valpola 2017).

w(t) (1/B) sum (1/C) ||softmax(g2(x)) - softmax(g1'(x'))||^2 + beta (1/B) sum (1/C) ||g1 - g2||^2 over all examples:
x and x' two views, g1 the class head and g2 the consistency head of the student, g1' the teacher's class head, and
w(t) = weight exp(-5 (1 - t / ramp)^2) until t = ramp epochs. The cross-entropy on labels is another method's:
`Sum(MeanTeacher(), Supervised())` is the paper's system, `Sum(MeanTeacher(), DiffusionLabels())` is DLP on top.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.types import Batch, Progress, Task
from labelprop.functional.schedule import ramp_up
from labelprop.methods.base import LossTerms, Net, Outputs
from labelprop.methods.state import RULES, Ema
from labelprop.methods.streams import TWO_VIEWS, TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative, OneOf, Share

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def squared_error(logits_BC: torch.Tensor, target_BC: torch.Tensor) -> torch.Tensor:
    """(1/B) sum (1/C) ||softmax(logits) - target||^2."""
    return (logits_BC.softmax(dim=1) - target_BC).square().mean()


def kullback_leibler(logits_BC: torch.Tensor, target_BC: torch.Tensor) -> torch.Tensor:
    """(1/B) sum KL(target || softmax(logits))."""
    return F.kl_div(logits_BC.log_softmax(dim=1), target_BC, reduction="batchmean")


DIVERGENCES: Mapping[str, Divergence] = {"mse": squared_error, "kl": kullback_leibler}

HEADS: Mapping[str, int | None] = {"class": None, "consistency": None}


@dataclass(eq=False, repr=False, kw_only=True)
class MeanTeacher(TwoStreams):
    """Consistency with a teacher, and the tie between the student's two heads.

    Parameters
    ----------
    weight, ramp_up : largest weight of the consistency term, and epochs until it is reached.
    decay : the teacher's largest memory of itself; 0 makes it the student as it is.
    tie : beta, the weight of the squared distance between the two heads' logits.
    divergence : "mse", or "kl" (the ImageNet setting).
    statistics : the teacher's batch-normalization statistics: "own", "copy" or "ema"; see `Ema`.
    """

    weight: NotNegative = 100.0
    ramp_up: NotNegative = 5
    decay: Share = 0.97
    tie: NotNegative = 0.01
    divergence: Annotated[str, OneOf(tuple(DIVERGENCES))] = "mse"
    statistics: Annotated[str, OneOf(RULES)] = "own"

    heads = HEADS
    views = (TWO_VIEWS, TWO_VIEWS)

    teacher: Ema = field(init=False)

    def setup(self, net: nn.Module, task: Task) -> None:
        self.teacher = Ema(net, decay=self.decay, statistics=self.statistics)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        outputs = net(batch.joint.views_V[0])
        seen, buffers = self.teacher.training_outputs(batch.joint.views_V[1])
        target_BC = seen["class"].softmax(dim=1)
        terms = {
            "consistency": DIVERGENCES[self.divergence](outputs["consistency"], target_BC),
            "tie": (outputs["class"] - outputs["consistency"]).square().mean(),
        }
        return LossTerms(terms, {"consistency": self._weight(progress), "tie": self.tie}, own=buffers)

    def _weight(self, progress: Progress) -> float:
        epochs = progress.step / max(1, progress.steps_per_epoch)
        return self.weight * ramp_up(epochs / self.ramp_up if self.ramp_up > 0 else 1.0)

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        self.teacher.follow(net, dict(outputs))

    def deployed(self, net: nn.Module) -> nn.Module:
        return self.teacher.net
