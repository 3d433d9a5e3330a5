"""The only reader of the truth during training: snapshots in, numbers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from labelprop.core.types import PseudoLabels, Snapshot
from labelprop.evaluation import analyses
from labelprop.evaluation.metrics import accuracy, weighted_accuracy
from labelprop.evaluation.snapshots import VectorWriter
from labelprop.evaluation.truth import HeldBackTruth

PASSES = 10  # a method that makes no pass over the data of its own is measured about this often

Numbers = Mapping[str, float | Sequence[float | None]]


class Monitor:
    """Accuracy on the unlabeled rows of the network and of the pseudo-labels it trains on; analyses of the embedding.

    Numbers of each class come as lists in the order of the classes. `given_N` are the given labels, -1 where there is
    none. A `VectorWriter` saves vectors of chosen rows at the moments that the loop asks for.
    """

    def __init__(
        self, truth: HeldBackTruth, given_N: np.ndarray, n_classes: int, keeper: VectorWriter | None = None
    ) -> None:
        self._truth, self._given_N, self._n_classes, self._keeper = truth, given_N, n_classes, keeper
        self._codes_N = truth.with_given(given_N)  # an embedding of given rows counts as well

    def wants_outputs(self, epoch: int, epochs: int) -> bool:
        return epoch == epochs or (epoch > 0 and epoch % max(1, epochs // PASSES) == 0)

    def rehearsing(self) -> Monitor:
        """The same, saving nothing."""
        return Monitor(self._truth, self._given_N, self._n_classes)

    def __call__(self, epoch: int, snapshot: Snapshot) -> Numbers:
        found: dict[str, Any] = {}
        if snapshot.outputs is not None and "class" in snapshot.outputs:
            found["accuracy"] = accuracy(_array(snapshot.outputs["class"].argmax(1)), self._truth.codes_N)
        if snapshot.pseudo_labels is not None:
            found |= self._of_labels(snapshot.pseudo_labels)
        if snapshot.embeddings is not None:
            vectors_ND = _array(snapshot.embeddings)
            found |= self._of_embeddings(vectors_ND, snapshot.pseudo_labels)
            if self._keeper is not None and snapshot.wanted:
                self._keeper.keep(snapshot.step, vectors_ND)
        return {name: _rounded(value) for name, value in found.items() if value is not None}

    def _of_labels(self, pseudo: PseudoLabels) -> dict[str, Any]:
        codes_N, labels_N = self._truth.codes_N, _array(pseudo.labels_N)
        right_H, wrong_H = analyses.certainty_histogram(_array(pseudo.certainty_N), labels_N, codes_N)
        return {
            "pseudo_label_accuracy": accuracy(labels_N, codes_N),
            "weighted_pseudo_label_accuracy": weighted_accuracy(labels_N, codes_N, _array(pseudo.weight_N)),
            "certainty_of_right": right_H.tolist(),
            "certainty_of_wrong": wrong_H.tolist(),
        }

    def _of_embeddings(self, vectors_ND: np.ndarray, pseudo: PseudoLabels | None) -> dict[str, Any]:
        aggregation_C = analyses.aggregation(vectors_ND, self._codes_N, self._n_classes)
        found: dict[str, Any] = {
            "aggregation": None if np.isnan(aggregation_C).all() else float(np.nanmean(aggregation_C)),
            "aggregation_of_class": aggregation_C.tolist(),
            "nearest_neighbor_accuracy": analyses.nearest_neighbor_accuracy(vectors_ND, self._codes_N),
        }
        if pseudo is not None:
            density_C = analyses.class_density(vectors_ND, self._given_N, self._n_classes)
            assigned_C = analyses.assigned(_array(pseudo.labels_N), self._given_N, self._n_classes)
            found |= {
                "density_of_class": density_C.tolist(),
                "assigned_to_class": assigned_C.tolist(),
                "density_count_r": analyses.pearson(density_C, assigned_C) if assigned_C.any() else None,
            }
        return found


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _rounded(value: Any) -> Any:
    """To six digits; what is not finite is None, which JSON can hold."""
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if np.isfinite(value) else None
