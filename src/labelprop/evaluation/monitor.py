"""The only reader of the truth during training: snapshots in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from labelprop.evaluation.metrics import accuracy, weighted_accuracy
from labelprop.evaluation.truth import HeldBackTruth
from labelprop.types import Snapshot

PASSES = 10  # a method that makes no pass over the data of its own is looked at about this often


class Monitor:
    """Accuracy on the unlabeled rows of the network and of the pseudo-labels it trains on."""

    def __init__(self, truth: HeldBackTruth) -> None:
        self._truth = truth

    def wants_outputs(self, epoch: int, epochs: int) -> bool:
        return epoch == epochs or (epoch > 0 and epoch % max(1, epochs // PASSES) == 0)

    def __call__(self, epoch: int, snapshot: Snapshot) -> Mapping[str, float]:
        found: dict[str, float | None] = {}
        codes_N = self._truth.codes_N
        if snapshot.outputs is not None and "class" in snapshot.outputs:
            found["accuracy"] = accuracy(_array(snapshot.outputs["class"].argmax(1)), codes_N)
        if snapshot.pseudo_labels is not None:
            pseudo = snapshot.pseudo_labels
            labels_N = _array(pseudo.labels_N)
            found["pseudo_label_accuracy"] = accuracy(labels_N, codes_N)
            found["weighted_pseudo_label_accuracy"] = weighted_accuracy(labels_N, codes_N, _array(pseudo.weight_N))
        return {name: round(value, 6) for name, value in found.items() if value is not None}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()
