"""Deep Co-Training: two networks that agree and may not be misled alike (Qiao, Shen, Zhang, Wang, Yuille 2018).

L = CE(p1 on one draw of labels) + CE(p2 on another) + r(t) (lambda_cot JSD + lambda_dif L_dif), with JSD = H((p1 +
p2) / 2) - (H(p1) + H(p2)) / 2, the mean over unlabeled examples, and, the mean over all, L_dif = H(p2(x), p1(x + r2))
+ H(p1(x), p2(x + r1)), H(a, b) = -sum a log b, r_k the fast gradient sign step that misleads network k: what one of
them errs on the other must get right. Gradients flow into both arguments of H. Steps are found in eval mode, and
passes over misleading examples, in float32 under autocast too, leave the running statistics alone. Dropout is taken
out of both networks, as in the paper, so that two passes differ by the step alone.

Departs from the paper: r(t) rises over a share of the phase, its 80 of 600 epochs; inputs are standardized here, so
that `epsilon` is in standard deviations (the paper's 0.02 is of a range of pixels from 0 to 1, of which a standard
deviation is about a quarter on CIFAR-10); labeled and unlabeled examples are 16 and 92 whatever their numbers in the
data, the paper's batch of 100 being divided in their ratio; and the mean of the two is measured, the paper giving
the mean of their errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress, Task
from labelprop.functional.loss import (
    cross_entropy_between,
    fast_gradient_sign,
    jensen_shannon,
    mean_of,
    weighted_cross_entropy,
)
from labelprop.functional.schedule import ramp_up
from labelprop.methods.base import LossTerms, Net, Outputs, bare, frozen_statistics
from labelprop.methods.state import Peer
from labelprop.methods.streams import TwoStreams
from labelprop.models.deployed import MeanOfTwo
from labelprop.models.trunks.modes import evaluating, without_dropout
from labelprop.propagators.estimator.parameters import NotNegative, Portion


@dataclass(eq=False, repr=False, kw_only=True)
class CoTraining(TwoStreams):
    """Two networks; the mean of their probabilities is deployed.

    Parameters
    ----------
    batch_size : examples a step.
    labeled_batch_size : how many of them are labeled ones: the first half for one network, the others for the other.
    agreement, difference : lambda_cot and lambda_dif.
    ramp_share : share of the phase over which both rise.
    epsilon : length of the misleading step in every entry of the input, in standard deviations.
    """

    batch_size: int = 108
    labeled_batch_size: int = 16
    agreement: NotNegative = 10.0
    difference: NotNegative = 0.5
    ramp_share: Portion = 0.133
    epsilon: NotNegative = 0.08

    peer: Peer = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labeled_batch_size < 2:
            raise RequestError(
                f"labeled_batch_size={self.labeled_batch_size} must be at least 2, one for each network."
            )

    def setup(self, net: nn.Module, task: Task) -> None:
        without_dropout(net)
        self.peer = Peer(net, seed=task.seed)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        x_B, n_labeled = batch.joint.views_V[0], len(batch.labels_B)
        first_BC = net(x_B)["class"]
        seen, buffers = self.peer.training_outputs(x_B)
        second_BC = seen["class"]
        ramp = ramp_up(progress.fraction / self.ramp_share) if self.ramp_share else 1.0
        terms = {
            "supervised": self._supervised(first_BC, second_BC, batch),
            "agreement": mean_of(jensen_shannon(first_BC[n_labeled:], second_BC[n_labeled:])),
            "difference": self._difference(net, first_BC, second_BC, batch),
        }
        weights = {"supervised": 1.0, "agreement": ramp * self.agreement, "difference": ramp * self.difference}
        return LossTerms(terms, weights, own=buffers)

    def _supervised(self, first_BC: torch.Tensor, second_BC: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Each network on a draw of labels of its own."""
        n_labeled = len(batch.labels_B)
        if n_labeled < 2:
            raise RequestError(
                f"a device's part of a step has {n_labeled} labeled example(s) and needs 2, one for each network: "
                "give a larger --set labeled_batch_size=..., or fewer --devices."
            )
        half = n_labeled // 2
        draws = ((first_BC, slice(0, half)), (second_BC, slice(half, n_labeled)))
        parts = [
            weighted_cross_entropy(logits_BC[at], batch.labels_B[at], batch.trust_B[at]) for logits_BC, at in draws
        ]
        return parts[0] + parts[1]

    def _difference(self, net: Net, first_BC: torch.Tensor, second_BC: torch.Tensor, batch: Batch) -> torch.Tensor:
        first, second = bare(net), self.peer.net
        for_first_BC = frozen_statistics(first)(self._misleading(second, batch))["class"]
        for_second_BC = frozen_statistics(second)(self._misleading(first, batch))["class"]
        crossed_B = cross_entropy_between(second_BC, for_first_BC) + cross_entropy_between(first_BC, for_second_BC)
        return mean_of(crossed_B)

    def _misleading(self, net: nn.Module, batch: Batch) -> torch.Tensor:
        x_B = batch.joint.views_V[0]
        labels_B = batch.joint.indices_B.new_full((len(x_B),), -1)
        labels_B[: len(batch.labels_B)] = batch.labels_B
        with evaluating(net):
            return fast_gradient_sign(lambda x: net(x)["class"], x_B, labels_B, self.epsilon)

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        self.peer.keep(outputs)

    def deployed(self, net: nn.Module) -> nn.Module:
        return MeanOfTwo(net, self.peer.net)
