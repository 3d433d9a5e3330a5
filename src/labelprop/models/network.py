"""A network is a trunk with heads in parallel; `ModelSpec` is its description, from which `build` makes it anew.

Shapes: B batch, C channels or classes, H, W pixels, F dimensions of the feature, D of an embedding.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.core.registry import lookup
from labelprop.models.trunks.trunk import Trunk

FEATURE = "feature"
EMBEDDING = "embedding"


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The description from which a network is built: trunk by registered name, its options, input shape and heads.

    `heads` maps a head's name to its number of outputs. `options` are the trunk's keyword arguments and hold
    only what JSON can (tuples come back as lists).
    """

    name: str
    input_shape: tuple[int, ...]
    heads: Mapping[str, int]
    options: Mapping[str, Any] = field(default_factory=dict)
    l2_feature: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON has it: tuples are lists."""
        described: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return described

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ModelSpec:
        return cls(**{**data, "input_shape": tuple(data["input_shape"])})


class Network(nn.Module):
    """A trunk and heads that are linear in its feature, in parallel.

    `l2_feature` divides the feature by its length before the heads (DLP's `isL2`). The head named "embedding" has
    unit length; all others give logits.
    """

    def __init__(self, trunk: Trunk, heads: Mapping[str, int], *, l2_feature: bool = False) -> None:
        super().__init__()
        if FEATURE in heads:
            raise RequestError("a head cannot be named 'feature': that is the trunk's output; rename the head.")
        for name, outputs in heads.items():
            if outputs < 1:
                raise RequestError(f"head '{name}' has {outputs} outputs; it needs at least 1.")
        self.trunk = trunk
        self.heads = nn.ModuleDict({name: trunk.head(name, outputs) for name, outputs in heads.items()})
        self.l2_feature = l2_feature

    @property
    def feature_dim(self) -> int:
        return self.trunk.feature_dim

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, F), <head>: (B, outputs), ...}, at least float32 also under autocast."""
        feature_BF = self.trunk(channels_last(x))
        if self.l2_feature:
            feature_BF = F.normalize(at_least_float32(feature_BF), dim=1)
        outputs = {FEATURE: at_least_float32(feature_BF)}
        for name, head in self.heads.items():
            output = at_least_float32(head(feature_BF))
            outputs[name] = F.normalize(output, dim=1) if name == EMBEDDING else output
        return outputs


def build(spec: ModelSpec, seed: int, make_trunk: Callable[[], Trunk] | None = None) -> Network:
    """The network that `spec` describes, with weights drawn from `seed` alone; the global generator is left as is.

    `make_trunk` makes the trunk, where no name of the registry does. Raises UnknownNameError for an unknown trunk,
    RequestError for an option the trunk does not have.
    """
    with torch.random.fork_rng(devices=[]):  # weights are drawn on the CPU, wherever the network goes later
        torch.default_generator.manual_seed(seed)
        trunk = _registered(spec) if make_trunk is None else make_trunk()
        return Network(trunk, spec.heads, l2_feature=spec.l2_feature)


def _registered(spec: ModelSpec) -> Trunk:
    factory = lookup("models", spec.name).load()
    parameters = inspect.signature(factory).parameters.values()
    known = [parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        raise RequestError(
            f"model '{spec.name}' has no option {', '.join(map(repr, unknown))}; "
            f"it has: {', '.join(known) or 'none'}."
        )
    trunk: Trunk = factory(spec.input_shape, **spec.options)
    return trunk


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """Images (B, C, H, W) laid out with channels innermost, which CPU and GPU convolve fastest; vectors as they are.

    The weights stay in their usual layout (so that they can be saved as they are): the input decides. With one
    channel PyTorch takes either layout for both and would go on with the slow one, hence the explicit reshape.
    """
    if x.dim() != 4:
        return x
    batch, channels, height, width = x.shape
    if channels > 1:
        return x.contiguous(memory_format=torch.channels_last)
    return x.reshape(batch, height, width, 1).permute(0, 3, 1, 2)


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """Losses, banks and propagation want float32 where autocast ran in 16 bits; float64 stays."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
