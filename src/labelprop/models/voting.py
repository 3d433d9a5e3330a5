"""A network without a class head as a classifier: the labeled rows' embeddings vote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from labelprop.functional.vote import vote_shares


class NearestVote(nn.Module):
    """`net` followed by the weighted-kNN vote of M embeddings of unit length, which are its buffers.

    Gives what the network gives and, as "class", the log of each class's share of the votes (Wu et al. 2018); a vote
    counts as much as its label is trusted, (M,).
    """

    vectors_MD: torch.Tensor
    labels_M: torch.Tensor
    trust_M: torch.Tensor

    def __init__(
        self,
        net: nn.Module,
        vectors_MD: torch.Tensor,
        labels_M: torch.Tensor,
        trust_M: torch.Tensor,
        n_classes: int,
        *,
        n_neighbors: int = 10,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.net, self.n_classes = net, n_classes
        self.n_neighbors, self.temperature = n_neighbors, temperature
        self.register_buffer("vectors_MD", vectors_MD)
        self.register_buffer("labels_M", labels_M)
        self.register_buffer("trust_M", trust_M)

    def to_json(self) -> dict[str, float | int]:
        """What `empty` needs beside the network."""
        return {
            "n_voters": len(self.labels_M),
            "dim": self.vectors_MD.shape[1],
            "n_classes": self.n_classes,
            "n_neighbors": self.n_neighbors,
            "temperature": self.temperature,
        }

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> NearestVote:
        """Room for the voters that `load_state_dict` brings."""
        vectors_MD = torch.zeros(described["n_voters"], described["dim"])
        labels_M = torch.zeros(described["n_voters"], dtype=torch.int64)
        return cls(
            net,
            vectors_MD,
            labels_M,
            torch.ones(described["n_voters"]),
            described["n_classes"],
            n_neighbors=described["n_neighbors"],
            temperature=described["temperature"],
        )

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The network's outputs with "class" (B, C): log shares, at least the log of the smallest positive number."""
        outputs: dict[str, torch.Tensor] = dict(self.net(x))
        shares_BC = vote_shares(
            outputs["embedding"],
            self.vectors_MD,
            self.labels_M,
            self.n_classes,
            n_neighbors=self.n_neighbors,
            temperature=self.temperature,
            log_weight_M=self.trust_M.log(),
        )
        return outputs | {"class": shares_BC.clamp_min(torch.finfo(shares_BC.dtype).tiny).log()}
