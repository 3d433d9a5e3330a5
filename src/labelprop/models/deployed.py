"""What a run may deploy around its network, each by the name under which model.json describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn

from labelprop.models.mean_of_two import MeanOfTwo
from labelprop.models.rotations import MeanOfRotations
from labelprop.models.voting import NearestVote


class Around(Protocol):
    """A module around a network, its `net`, that can be described in JSON and made anew from that."""

    net: nn.Module

    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> nn.Module: ...


KINDS: Mapping[str, type[Around]] = {
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


def plain(module: nn.Module) -> nn.Module:
    """The network inside."""
    inside = module.net if isinstance(module, tuple(KINDS.values())) else module
    assert isinstance(inside, nn.Module), "what is around a network holds it as `net`"
    return inside
