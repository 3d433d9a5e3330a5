"""Modules that a run may deploy around its network, each by its name in model.json.

Each gives what the network gives, with another "class" (B, C).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch
from torch import nn

from labelprop.functional.vote import vote_shares
from labelprop.models.network import EMBEDDING, FEATURE

TURNS = 4  # quarters


class NetworkWrapper(nn.Module):
    """A module that wraps a network, its `net`, and can be rebuilt from a description in JSON.

    `decides_by` is the output of the network from which it makes "class".
    """

    decides_by: ClassVar[str] = FEATURE

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def to_json(self) -> dict[str, Any]:
        """The arguments of `empty` beside the network."""
        return {}

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> Self:
        """Around a network, with room for what `load_state_dict` brings."""
        return cls(net)


class NearestVote(NetworkWrapper):
    """`net` followed by the weighted-kNN vote of M embeddings of unit length, which are its buffers.

    Gives what the network gives and, as "class", the log of each class's share of the votes (Wu et al. 2018); a vote
    counts as much as its label is trusted, (M,).
    """

    decides_by = EMBEDDING

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
        super().__init__(net)
        self.n_classes = n_classes
        self.n_neighbors, self.temperature = n_neighbors, temperature
        self.register_buffer("vectors_MD", vectors_MD)
        self.register_buffer("labels_M", labels_M)
        self.register_buffer("trust_M", trust_M)

    def to_json(self) -> dict[str, Any]:
        settings = {name: getattr(self, name) for name in ("n_classes", "n_neighbors", "temperature")}
        return {"n_voters": len(self.labels_M), "dim": self.vectors_MD.shape[1], **settings}

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> NearestVote:
        settings = dict(described)
        voters, dim = settings.pop("n_voters"), settings.pop("dim")
        labels_M = torch.zeros(voters, dtype=torch.int64)
        return cls(net, torch.zeros(voters, dim), labels_M, torch.ones(voters), **settings)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
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
        return outputs | {"class": _log(shares_BC)}


class MeanOfTwo(NetworkWrapper):
    """Two networks of one kind: as "class" the log of the mean of their probabilities."""

    def __init__(self, net: nn.Module, other: nn.Module) -> None:
        super().__init__(net)
        self.other = other

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> Self:
        return cls(net, copy.deepcopy(net))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs: dict[str, torch.Tensor] = dict(self.net(x))
        mean_BC = (outputs["class"].softmax(dim=1) + self.other(x)["class"].softmax(dim=1)) / 2
        return outputs | {"class": _log(mean_BC)}


class MeanOfRotations(NetworkWrapper):
    """As "class" the mean of the network's logits over the four rotations of an image."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs: dict[str, torch.Tensor] = dict(self.net(x))
        others = [self.net(turned(x, turn))["class"] for turn in range(1, TURNS)]
        return outputs | {"class": torch.stack([outputs["class"], *others]).mean(dim=0)}


def turned(images_B: torch.Tensor, quarters: int) -> torch.Tensor:
    """Square images (B, C, H, H), each turned counterclockwise by so many quarters."""
    return torch.rot90(images_B, quarters, (2, 3))


def _log(shares_BC: torch.Tensor) -> torch.Tensor:
    """Of 0 that of the smallest positive number, so that a softmax gives the shares back."""
    return shares_BC.clamp_min(torch.finfo(shares_BC.dtype).tiny).log()


KINDS: Mapping[str, type[NetworkWrapper]] = {
    "vote": NearestVote,
    "mean_of_rotations": MeanOfRotations,
    "mean_of_two": MeanOfTwo,
}


def describe(module: nn.Module) -> dict[str, Any]:
    """{its name: what it takes to make it anew}; empty for a plain network."""
    return {name: module.to_json() for name, kind in KINDS.items() if isinstance(module, kind)}


def make(network: nn.Module, description: Mapping[str, Any]) -> nn.Module:
    """The network, or what `description` says is around it, still without its weights."""
    found = next((name for name in KINDS if name in description), None)
    return network if found is None else KINDS[found].empty(network, description[found])


def decides_by(module: nn.Module) -> str:
    """The name of the output from which a network, or what is around it, makes "class"."""
    return module.decides_by if isinstance(module, NetworkWrapper) else FEATURE


def plain(module: nn.Module) -> nn.Module:
    """The network inside."""
    return module.net if isinstance(module, NetworkWrapper) else module
