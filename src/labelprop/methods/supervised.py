"""Cross-entropy on the given labels alone: the first stage of DLP and the baseline of everything."""

from __future__ import annotations

import torch

from labelprop.errors import RequestError
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.types import Batch, BatchSpec, Progress, StreamSpec, Task


class Supervised(Method):
    """(1/B) sum of weight_i CE(g(x_i), y_i) over the labeled examples; weights are the trust given with the labels.

    B counts the whole batch: in a `Sum` with a method that wants unlabeled examples too, all make one forward pass
    and these count with loss 0 (the released code of Mean Teacher).

    Parameters: `batch_size` labeled examples a step.
    """

    labels_N: torch.Tensor
    weights_N: torch.Tensor

    def __init__(self, *, batch_size: int = 100) -> None:
        super().__init__()
        if batch_size < 1:
            raise RequestError(f"batch_size={batch_size} must be at least 1.")
        self.needs = BatchSpec(labeled=StreamSpec(batch_size))

    def setup(self, net: torch.nn.Module, task: Task) -> None:
        self.register_buffer("labels_N", task.labels_N.clone())
        self.register_buffer("weights_N", task.weights_N.clone())

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC = net(batch.joint.views_V[0])["class"]
        labels_B = self.labels_N[batch.joint.indices_B]
        weights_B = self.weights_N[batch.joint.indices_B] * (labels_B >= 0)
        return LossTerms({"supervised": weighted_cross_entropy(logits_BC, labels_B, weights_B)}, {"supervised": 1.0})
