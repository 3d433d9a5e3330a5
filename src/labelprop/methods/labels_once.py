"""Labels found once, when a phase begins, and kept to its end.

Two-stage Pseudo-Label (Lee 2013, as in S4L): a network's predictions of all examples, then training from scratch.
Deep Metric Transfer (Liu et al. 2018): a constrained normalized cut of an embedding learned without labels.
Propagation of the examples as they are, before any network: what frozen embeddings call for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.functional.vote import vote_shares
from labelprop.graph.seeds import Seeds
from labelprop.methods.base import LossTerms, Net, Tools
from labelprop.methods.label_table import LabelTable
from labelprop.propagators.auto import AutoPropagation
from labelprop.propagators.cost.forecast import forecast
from labelprop.propagators.cost.stages import Size
from labelprop.propagators.estimator.parameters import Count, Number, OneOf
from labelprop.propagators.spectral_cut import SpectralCut

VOTED_AT_ONCE = 4096  # rows

FoundLabels = tuple[torch.Tensor, torch.Tensor]  # labels_N, -1 where there is none, and certainty_N
LabelSource = Callable[[Tools, Seeds, Mapping[str, Any]], FoundLabels]


def by_network(tools: Tools, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """The network's most probable class, and its probability."""
    certainty_N, labels_N = tools.outputs()["class"].softmax(dim=1).max(dim=1)
    return labels_N, certainty_N


def by_cut(tools: Tools, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """A constrained normalized cut of the embedding: `SpectralCut`."""
    found = SpectralCut(**parameters).label_vectors(_embedding(tools), seeds, group=tools.group)
    return found.labels_N, found.certainty_N


def by_vote(tools: Tools, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """The vote of the nearest labeled rows of the embedding: `vote_shares`."""
    vectors_ND = F.normalize(_embedding(tools), dim=1)
    labels_N = seeds.labels_N.to(vectors_ND.device)
    given_L = (labels_N >= 0).nonzero().squeeze(1)
    trust_L = seeds.weights_N.to(vectors_ND)[given_L].log()
    best = []
    for vectors_BD in torch.split(vectors_ND, VOTED_AT_ONCE):
        shares_BC = vote_shares(
            vectors_BD, vectors_ND[given_L], labels_N[given_L], seeds.n_classes, log_weight_M=trust_L, **parameters
        )
        best.append(shares_BC.max(dim=1))
    return torch.cat([one.indices for one in best]), torch.cat([one.values for one in best])


def by_propagation(tools: Tools, seeds: Seeds, parameters: Mapping[str, Any]) -> FoundLabels:
    """Propagators joined, on the examples as they were read: `AutoPropagation`."""
    given_N, trust_N = seeds.labels_N.cpu().numpy(), seeds.weights_N.cpu().numpy()
    found = AutoPropagation(**parameters).fit(tools.examples(), given_N, trust_N)
    return torch.from_numpy(found.transduction_), torch.from_numpy(found.certainty_)


def _embedding(tools: Tools) -> torch.Tensor:
    """The embedding that an earlier phase trained against a bank, if any; else the feature."""
    outputs = tools.outputs()
    return outputs["embedding"] if "embedding" in outputs else outputs["feature"]


LABEL_SOURCES: Mapping[str, LabelSource] = {
    "network": by_network,
    "spectral-cut": by_cut,
    "knn": by_vote,
    "propagation": by_propagation,
}


@dataclass(eq=False, repr=False, kw_only=True)
class LabelsOnce(LabelTable):
    """Cross-entropy on given labels and on those that a source finds when the phase begins.

    Batches are drawn from the rows that count, labeled and found alike; (1/B) sum_i weight_i CE(g(x_i), y_i).

    Parameters
    ----------
    batch_size : examples a step.
    source : "network", "spectral-cut", "knn" or "propagation".
    fraction : share of the unlabeled rows that count, those of the highest certainty; ties by the lower row.
    weighted : each row weighs its certainty; else all that count weigh the same.
    source_parameters : of the source; None for its defaults.
    """

    batch_size: Count = 256
    source: Annotated[str, OneOf(tuple(LABEL_SOURCES))] = "network"
    fraction: Annotated[float, Number(0, 1, low_open=True)] = 1.0
    weighted: bool = False
    source_parameters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs = BatchSpec(StreamSpec(0), StreamSpec(self.batch_size))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC, rows_B = net(batch.joint.views_V[0])["class"], batch.joint.indices_B
        term = weighted_cross_entropy(logits_BC, self.label_N[rows_B], self.weight_N[rows_B])
        return LossTerms({"labels": term}, {"labels": 1.0})

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        """Finds the labels before the first epoch; later ones leave them."""
        if epoch:
            return
        seeds = Seeds.hard(self.given_N, self.n_classes, self.trust_N)
        labels_N, certainty_N = LABEL_SOURCES[self.source](tools, seeds, self.source_parameters or {})
        labels_N, certainty_N = labels_N.to(self.label_N), certainty_N.to(self.certainty_N)
        given_N = self.given_N >= 0
        counts_N = self._most_certain(~given_N & (labels_N >= 0), certainty_N, int((~given_N).sum()))
        weight_N = counts_N * certainty_N if self.weighted else counts_N.to(certainty_N)
        self.label_N.copy_(torch.where(given_N, self.given_N, labels_N))
        self.certainty_N.copy_(torch.where(given_N, 1.0, certainty_N * (labels_N >= 0)))
        self.weight_N.copy_(torch.where(given_N, self.trust_N, weight_N))

    def refresh_seconds(self, shape: tuple[int, ...], task: Task) -> float | None:
        """Of a propagation: its forecast. One on fewer rows is no measure: much of it is choosing, at any size."""
        if self.source != "propagation":
            return None
        size = Size(n=task.n, d=math.prod(shape), n_classes=task.n_classes, n_seeds=len(task.labeled_L))
        return forecast("auto", self.source_parameters or {}, size).fit_seconds

    def _most_certain(self, open_N: torch.Tensor, certainty_N: torch.Tensor, n_unlabeled: int) -> torch.Tensor:
        """Of the rows that may count, the most certain: `fraction` times the number of unlabeled rows. bool (N,)."""
        ranked_N = certainty_N.masked_fill(~open_N, -1).argsort(descending=True, stable=True)
        kept_K = ranked_N[: round(self.fraction * n_unlabeled)]
        counts_N = torch.zeros_like(open_N)
        counts_N[kept_K] = True
        return counts_N & open_N

    def drawn_from(self) -> torch.Tensor:
        return (self.weight_N > 0).nonzero().squeeze(1)
