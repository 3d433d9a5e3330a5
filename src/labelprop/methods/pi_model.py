"""The Pi-model: the network agrees with itself on two views of an example (Laine & Aila 2017).

w(t) (1/B) sum (1/C) ||softmax(g(x)) - softmax(g(x'))||^2 over all examples; x and x' are two views, dropout drawn for
each. The gradient flows through both (released code). The cross-entropy on labels, divided by the whole batch like
this term, is another method's: `Sum(PiModel(), Supervised())` is the paper's system. Departs from it: each view draws
its own flip, no noise is added to the input, and batch normalization is the usual one, not mean-only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.late_weight import FIRST_EPOCH, RAMP_UP, late_weight
from labelprop.methods.streams import TWO_VIEWS, TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative, Portion

SAME = 1e-12  # a mean squared difference that rounding makes


@dataclass(eq=False, repr=False, kw_only=True)
class PiModel(TwoStreams):
    """Agreement of two passes.

    Parameters
    ----------
    weight : of the term, times the labeled share of a batch.
    ramp_up_share : of the training, until the weight is reached.
    """

    first_epoch = FIRST_EPOCH

    weight: NotNegative = 100.0
    ramp_up_share: Portion = RAMP_UP

    views = (TWO_VIEWS, TWO_VIEWS)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        first_BC, second_BC = (net(view)["class"].softmax(dim=1) for view in batch.joint.views_V[:2])
        term = (first_BC - second_BC).square().mean()
        if progress.step == 0 and term.detach() < SAME and torch.equal(*batch.joint.views_V[:2]):
            raise RequestError(
                "two passes of an example are alike, so that there is nothing to agree on: choose another --augment, "
                "or a network with dropout."
            )
        return LossTerms(
            {"agreement": term}, {"agreement": late_weight(self.weight, self.ramp_up_share, self.needs, progress)}
        )
