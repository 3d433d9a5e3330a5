"""Cross-entropy on the given labels alone: the first stage of DLP and the baseline of everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import torch

from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.methods.streams import n_labeled
from labelprop.propagators.estimator.parameters import Count, OneOf

OVER = ("batch", "labeled")


@dataclass(eq=False, repr=False, kw_only=True)
class Supervised(Method):
    """(1/B) sum of weight_i CE(g(x_i), y_i) over the labeled examples; weights are the trust given with the labels.

    In a `Sum` with a method that wants unlabeled examples too, all make one forward pass. B then counts the whole
    batch, as if these had loss 0 (the released code of Mean Teacher), or the labeled examples alone (VAT, FixMatch).

    Parameters
    ----------
    batch_size : labeled examples a step.
    over : what B counts, "batch" or "labeled".
    """

    batch_size: Count = 100
    over: Annotated[str, OneOf(OVER)] = "batch"

    labels_N: torch.Tensor = field(init=False)
    weights_N: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs = BatchSpec(labeled=StreamSpec(self.batch_size))

    def setup(self, net: torch.nn.Module, task: Task) -> None:
        self.register_buffer("labels_N", task.labels_N.clone())
        self.register_buffer("weights_N", task.weights_N.clone())

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        counted = len(batch.joint.indices_B) if self.over == "batch" else n_labeled(batch)
        logits_BC, rows_B = net(batch.joint.views_V[0])["class"][:counted], batch.joint.indices_B[:counted]
        labels_B = self.labels_N[rows_B]
        weights_B = self.weights_N[rows_B] * (labels_B >= 0)
        return LossTerms({"supervised": weighted_cross_entropy(logits_BC, labels_B, weights_B)}, {"supervised": 1.0})
