"""Temporal ensembling: the network agrees with its own past predictions (Laine & Aila 2017).

w(t) (1/B) sum (1/C) ||softmax(g(x_i)) - Z_i / (1 - a^t_i)||^2. Before each epoch Z_i <- a Z_i + (1 - a) z_i for every
example seen in the last one, z_i the prediction of its last pass there; t_i counts these epochs, so that an example
that was not drawn keeps its target (an epoch here drops its incomplete last batch). Until it was seen it has none and
counts with loss 0. The cross-entropy on labels is another method's: `Sum(TemporalEnsembling(), Supervised())`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from labelprop.core.types import Batch, Progress, Task
from labelprop.methods.base import LossTerms, Net, Outputs, Tools
from labelprop.methods.late_weight import FIRST_EPOCH, RAMP_UP, late_weight
from labelprop.methods.state import last_of
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative, Portion, Share


@dataclass(eq=False, repr=False, kw_only=True)
class TemporalEnsembling(TwoStreams):
    """Agreement with an average over epochs.

    Parameters
    ----------
    weight : of the term, times the labeled share of a batch; the paper's on CIFAR-10 and SVHN (CIFAR-100: 100).
    ramp_up_share : of the training, until the weight is reached.
    momentum : a, the average's memory of itself; 0 keeps the last epoch alone.
    """

    first_epoch = FIRST_EPOCH

    weight: NotNegative = 30.0
    ramp_up_share: Portion = RAMP_UP
    momentum: Share = 0.6

    ensemble_NC: torch.Tensor = field(init=False)
    visits_N: torch.Tensor = field(init=False)
    gathered_NC: torch.Tensor = field(init=False)
    seen_N: torch.Tensor = field(init=False)

    def setup(self, net: nn.Module, task: Task) -> None:
        self.register_buffer("ensemble_NC", torch.zeros(task.n, task.n_classes))
        self.register_buffer("visits_N", torch.zeros(task.n, dtype=torch.int64))
        self.register_buffer("gathered_NC", torch.zeros(task.n, task.n_classes))
        self.register_buffer("seen_N", torch.zeros(task.n, dtype=torch.bool))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        shares_BC = net(batch.joint.views_V[0])["class"].softmax(dim=1)
        target_BC, known_B = self._targets(batch.joint.indices_B)
        term = ((shares_BC - target_BC).square() * known_B[:, None]).mean()
        weight = late_weight(self.weight, self.ramp_up_share, self.needs, progress)
        return LossTerms({"ensemble": term}, {"ensemble": weight}, {"shares": shares_BC.detach()})

    def _targets(self, rows_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Z, corrected for its start from 0, and which rows have a target."""
        visits_B = self.visits_N[rows_B]
        filled_B = 1 - self.momentum ** visits_B.clamp_min(1).to(self.ensemble_NC.dtype)
        return self.ensemble_NC[rows_B] / filled_B[:, None], visits_B > 0

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        rows_R, last_R = last_of(batch.joint.indices_B)
        self.gathered_NC[rows_R] = outputs["shares"][last_R].to(self.gathered_NC.dtype)
        self.seen_N[rows_R] = True

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        """Blends in what the last epoch gathered."""
        blended_NC = torch.lerp(self.gathered_NC, self.ensemble_NC, self.momentum)
        self.ensemble_NC.copy_(torch.where(self.seen_N[:, None], blended_NC, self.ensemble_NC))
        self.visits_N += self.seen_N
        self.seen_N.fill_(False)
