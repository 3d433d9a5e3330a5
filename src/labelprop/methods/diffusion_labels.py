"""DLP: train on labels that are propagated anew before every epoch (Iscen et al. 2019).

L = (1/B) sum_i omega_i zeta_{y_i} CE(g(x_i), y_i), y_i given on L (omega = 1) and propagated on U, with
omega_i = 1 - H(z_i) / log C and zeta_j = (N / C) / n_j, n_j the number of examples of class j (the released
code's scale; the poster's 1 / (|L_j| + |U_j|) times N / C).
Departs from the released code: labels are propagated on the eval view, not on augmented images (`label_view="weak"`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.functional.weigh import class_weights, entropy_certainty
from labelprop.graph.seeds import Seeds
from labelprop.methods.base import LossTerms, Net, Tools
from labelprop.methods.diffused import diffused
from labelprop.methods.label_table import LabelTable
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator.parameters import OneOf, Positive, check_parameters, rules_of

FoundLabels = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # labels_N, certainty_N, class_weight_C
LabelSource = Callable[[Tools, str, Seeds, Mapping[str, Any]], FoundLabels]


def from_diffusion(tools: Tools, view: str, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """Labels diffused over the nearest-neighbor graph of the network's features."""
    found = diffused(tools.outputs(view)["feature"], seeds, tools, **parameters)
    return found.labels_N, found.certainty_N, found.class_weight_C


def from_network(tools: Tools, view: str, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """The paper's ablation "network prediction": the network's own softmax takes the place of the diffusion."""
    distributions_NC = tools.outputs(view)["class"].softmax(1)
    labels_N, certainty_N = distributions_NC.argmax(1), entropy_certainty(distributions_NC)
    if parameters.get("max_normalize", True):
        certainty_N = certainty_N / certainty_N.max().clamp_min(torch.finfo(certainty_N.dtype).tiny)
    given_N = seeds.labels_N.to(labels_N.device)
    labels_N = torch.where(given_N >= 0, given_N, labels_N)
    certainty_N = torch.where(given_N >= 0, torch.ones_like(certainty_N), certainty_N)
    return labels_N, certainty_N, class_weights(labels_N, seeds.n_classes)


VIEWS = ("eval", "weak")
LEAST_NEIGHBORS = 10  # fewer leave a graph of many pieces
LABEL_SOURCES: Mapping[str, LabelSource] = {"diffusion": from_diffusion, "network": from_network}


@dataclass(eq=False, repr=False, kw_only=True)
class DiffusionLabels(LabelTable, TwoStreams):
    """Weighted cross-entropy on given and propagated labels.

    Parameters
    ----------
    source : "diffusion", or "network" for the ablation that trusts the network's own prediction.
    certainty, class_balance : omega and zeta; False sets the weight to 1 (the paper's ablation).
    max_class_weight : cap on zeta; a class with few pseudo-labels otherwise weighs without bound. None: no cap.
    label_view : of examples, that their labels are found on: "eval", or "weak" (augmented) as in the released code.
    class_share : most neighbors of a row, as a share of the mean number of rows of a class, and at least 10: of 50
        neighbors among 2,500 rows in 77 classes most are of other classes. None: no limit, as in the released code.
        Where a class has 100 rows and more, as in the papers, the default is no limit for 50 neighbors.
    propagation : parameters of `Diffusion`; None for its defaults.
    """

    source: Annotated[str, OneOf(tuple(LABEL_SOURCES))] = "diffusion"
    certainty: bool = True
    class_balance: bool = True
    max_class_weight: Positive | None = None
    label_view: Annotated[str, OneOf(VIEWS)] = "eval"
    class_share: Positive | None = 0.5
    propagation: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_parameters("diffused labels", self.propagation or {}, rules_of(Diffusion))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC = net(batch.joint.views_V[0])["class"]
        i_B = batch.joint.indices_B
        term = weighted_cross_entropy(logits_BC, self.label_N[i_B], self.weight_N[i_B])
        return LossTerms({"diffusion_labels": term}, {"diffusion_labels": 1.0})

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        seeds = Seeds.hard(self.given_N, self.n_classes, self.trust_N)
        source = LABEL_SOURCES[self.source]
        labels_N, certainty_N, class_weight_C = source(tools, self.label_view, seeds, self._propagation(seeds))
        if self.max_class_weight is not None:
            class_weight_C = class_weight_C.clamp_max(self.max_class_weight)
        weight_N = (labels_N >= 0).float()  # an unreached row has no label and counts for nothing
        if self.certainty:
            weight_N = weight_N * certainty_N.to(weight_N)
        if self.class_balance:
            weight_N = weight_N * class_weight_C.to(weight_N)[labels_N.clamp_min(0)]
        given_N = self.given_N >= 0
        self.label_N.copy_(labels_N)
        self.certainty_N.copy_(certainty_N)
        self.weight_N.copy_(torch.where(given_N, weight_N * self.trust_N, weight_N))

    def _propagation(self, seeds: Seeds) -> Mapping[str, Any]:
        """The parameters of the diffusion, with no more neighbors than a class can give."""
        given = self.propagation or {}
        if self.class_share is None:
            return given
        most = max(LEAST_NEIGHBORS, int(self.class_share * len(seeds.labels_N) / seeds.n_classes))
        return {**given, "n_neighbors": min(Diffusion(**given).n_neighbors, most)}
