"""The base of methods that train an embedding against a memory bank."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.methods.base import Method, Outputs, Tools
from labelprop.methods.state import MemoryBank
from labelprop.models.deployed import NearestVote
from labelprop.propagators.estimator.parameters import Count, Positive, Share

VOTE_TEMPERATURE = 0.07  # of the kNN vote of Wu et al. 2018


@dataclass(eq=False, repr=False, kw_only=True)
class Embedder(Method):
    """Moves the bank, and deploys the network with the vote of the labeled rows' embeddings on the eval view.

    Parameters
    ----------
    batch_size : examples a step, drawn from all.
    dim : dimensions of the embedding.
    temperature : small values let the nearest decide; the papers' ImageNet value is 0.07, 0.1 on CIFAR-10.
    momentum : of the bank.
    n_voters : labeled rows that vote in the deployed model.
    """

    batch_size: Count = 128
    dim: Count = 128
    temperature: Positive = 0.07
    momentum: Share = 0.5
    n_voters: Count = 10

    bank: MemoryBank = field(init=False)
    labeled_L: torch.Tensor = field(init=False)
    labels_L: torch.Tensor = field(init=False)
    trust_L: torch.Tensor = field(init=False)
    voters_LD: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs = BatchSpec(StreamSpec(0), StreamSpec(self.batch_size))
        self.heads = {"embedding": self.dim}

    def setup(self, net: nn.Module, task: Task) -> None:
        like = next(net.parameters())
        self.n_classes = task.n_classes
        self.bank = MemoryBank(task.n, self.dim, momentum=self.momentum, seed=task.seed, like=like)
        self.register_buffer("labeled_L", task.labeled_L.to(like.device))
        self.register_buffer("labels_L", task.labels_N[task.labeled_L].to(like.device))
        self.register_buffer("trust_L", task.weights_N[task.labeled_L].to(like))
        self.register_buffer("voters_LD", like.detach().new_zeros(len(task.labeled_L), self.dim))

    def vectors(self, found: Outputs) -> torch.Tensor:
        """The embedding (B, D) in the type of the bank: mixed precision may give another."""
        return found["embedding"].to(self.bank.vectors_ND.dtype)

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        self.bank.write(batch.joint.indices_B, outputs["embedding"])

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        self.voters_LD.copy_(tools.outputs_of(self.labeled_L)["embedding"])

    def fill_bank(self, tools: Tools, epoch: int) -> None:
        """Before the first epoch: a bank that no earlier phase trained holds the network's embeddings (eval view).

        From random directions labels could not be found in it before every row was seen.
        """
        if not epoch and not self.bank.inherited:
            self.bank.vectors_ND.copy_(tools.outputs()["embedding"])

    def embeddings(self) -> torch.Tensor:
        return self.bank.vectors_ND

    def deployed(self, net: nn.Module) -> nn.Module:
        return NearestVote(
            net,
            self.voters_LD,
            self.labels_L,
            self.trust_L,
            self.n_classes,
            n_neighbors=self.n_voters,
            temperature=VOTE_TEMPERATURE,
        )
