"""Local aggregation: neighbors that cluster together draw together (Zhuang, Zhai, Yamins 2019, "LA")."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import nn

from labelprop.core.types import Batch, Progress, Task
from labelprop.functional.bank_loss import neighborhood_loss
from labelprop.functional.kmeans import cosines, lloyd, nearest_center
from labelprop.methods.base import LossTerms, Net, Tools
from labelprop.methods.embedder import Embedder
from labelprop.propagators.estimator.parameters import Count

ROWS_A_CLUSTER = 40  # the paper's 30,000 clusters of 1.28 million images
FIRST_SEED = 1234  # of the released code: clustering h starts from FIRST_SEED + h


def default_clusters(n: int) -> int:
    """One for every 40 examples; below 1,600 for every sqrt(n), so that joined clusters do not hold everything."""
    return max(1, round(n / min(ROWS_A_CLUSTER, math.sqrt(n))))


@dataclass(eq=False, repr=False, kw_only=True)
class Aggregation(Embedder):
    """-log(sum over C_i of P / sum over B_i of P), B_i the nearest rows of the bank, C_i those in i's clusters.

    The bank is clustered anew before each epoch.

    Parameters
    ----------
    n_neighbors : rows of the bank in B_i; cut to the number of examples.
    n_clusters : of each clustering; None for one for every 40 examples, the paper's proportion (fewer if few).
    clusterings : runs of k-means whose clusters are joined.
    rounds : of Lloyd's algorithm.
    """

    n_neighbors: Count = 4096
    n_clusters: Count | None = None
    clusterings: Count = 10
    rounds: Count = 20

    clusters_HN: torch.Tensor = field(init=False)

    def setup(self, net: nn.Module, task: Task) -> None:
        super().setup(net, task)
        like = self.labels_L
        self.register_buffer("clusters_HN", like.new_zeros(self.clusterings, task.n))

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        self.fill_bank(tools, epoch)
        super().refresh(net, tools, epoch)
        bank_ND = self.bank.vectors_ND
        n_clusters = min(self.n_clusters or default_clusters(len(bank_ND)), len(bank_ND))
        for run, cluster_N in enumerate(self.clusters_HN):
            generator = torch.Generator().manual_seed(FIRST_SEED + run)
            first_G = torch.randperm(len(bank_ND), generator=generator)[:n_clusters].to(bank_ND.device)
            centers_GD = lloyd(bank_ND, bank_ND[first_G], self.rounds, cosines)
            cluster_N.copy_(nearest_center(bank_ND, centers_GD, cosines))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        vectors_BD = self.vectors(net(batch.joint.views_V[0]))
        losses_B = neighborhood_loss(
            vectors_BD,
            self.bank.vectors_ND,
            batch.joint.indices_B,
            self.clusters_HN,
            self.n_neighbors,
            self.temperature,
        )
        return LossTerms({"aggregation": losses_B.mean()}, {"aggregation": 1.0}, {"embedding": vectors_BD.detach()})
