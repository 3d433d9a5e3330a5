"""Two views of unlabeled examples: the weak one gives the target, the strong one is trained on it.

The weak view is one pass over all examples, labeled ones included, so that methods of a `Sum` share it; the strong
view is another pass over the unlabeled ones. The released codes make one pass of both, with common batch statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.core.types import Batch
from labelprop.methods.base import Net
from labelprop.methods.streams import ONE_VIEW, TwoStreams, n_labeled
from labelprop.propagators.estimator.parameters import NotNegative


@dataclass(frozen=True, slots=True, eq=False)
class StepLogits:
    """Logits of a step: the weak view of all B examples and of the U unlabeled ones, the strong view of these.

    The weak ones of unlabeled examples are targets, without gradient.
    """

    weak_BC: torch.Tensor
    weak_UC: torch.Tensor
    strong_UC: torch.Tensor


@dataclass(eq=False, repr=False, kw_only=True)
class StrongViews(TwoStreams):
    """A method whose strong views learn from weak ones; 7 unlabeled examples to a labeled one, as in the papers.

    Parameters
    ----------
    weight : of the term.
    """

    batch_size: int = 512
    labeled_batch_size: int = 64
    weight: NotNegative = 1.0

    views = (ONE_VIEW, ("weak", "strong"))


def look(net: Net, batch: Batch) -> StepLogits:
    weak_BC = net(batch.joint.views_V[0])["class"]
    weak_UC = weak_BC[n_labeled(batch) :]
    if batch.unlabeled is None or not len(weak_UC):
        return StepLogits(weak_BC, weak_UC[:0].detach(), weak_UC[:0])
    return StepLogits(weak_BC, weak_UC.detach(), net(batch.unlabeled.views_V[1])["class"])
