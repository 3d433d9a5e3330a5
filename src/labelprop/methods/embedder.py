"""What methods that train an embedding against a memory bank have in common."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.methods.base import Method, Outputs, Tools
from labelprop.methods.checks import at_least_one
from labelprop.methods.state import MemoryBank
from labelprop.models.deployed import NearestVote

VOTE_TEMPERATURE = 0.07


class Embedder(Method):
    """Moves the bank, and deploys the network with the vote of the labeled rows' embeddings on the eval view.

    Batches are drawn from all rows alike, if a method says nothing else.
    """

    bank: MemoryBank
    labeled_L: torch.Tensor
    labels_L: torch.Tensor
    trust_L: torch.Tensor
    voters_LD: torch.Tensor

    def __init__(self, *, batch_size: int, dim: int, temperature: float, momentum: float, n_voters: int) -> None:
        super().__init__()
        at_least_one(batch_size=batch_size, dim=dim, n_voters=n_voters)
        if not temperature > 0:
            raise RequestError(f"temperature={temperature} must be above 0.")
        if not 0 <= momentum < 1:
            raise RequestError(f"momentum={momentum} must be at least 0 and below 1.")
        self.needs = BatchSpec(StreamSpec(0), StreamSpec(batch_size))
        self.heads: Mapping[str, int | None] = {"embedding": dim}
        self.dim, self.temperature, self.momentum, self.n_voters = dim, temperature, momentum, n_voters

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
