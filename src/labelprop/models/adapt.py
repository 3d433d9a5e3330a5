"""A user's own network, or a pretrained HuggingFace image model, as a trunk for our heads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.models.trunks.hf import HfImageTrunk, load_hf, measure_feature_dim
from labelprop.models.trunks.trunk import Trunk


class ModuleTrunk(Trunk):
    """Any module that maps inputs to one feature vector, or one map, an example; a map is averaged over space.

    Its parameters that require no gradient never learn.
    """

    learned = True  # for all that is known of it

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module = module
        self.feature_dim = measure_feature_dim(self, input_shape)
        self._frozen = frozenset(name for name, one in module.named_parameters() if not one.requires_grad)

    def fixed(self) -> Iterator[nn.Parameter]:
        return (one for name, one in self.module.named_parameters() if name in self._frozen)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return as_feature(self.module(x))


def adapt(
    model: nn.Module | str | os.PathLike[str], input_shape: tuple[int, ...], *, drop: str | None = None
) -> Trunk:
    """A trunk from a module, or from the folder or name of a HuggingFace image model.

    A module is taken as it is: it should end with the feature, not with class scores. Where it does not, `drop`
    names the sub-module to leave out (`drop="fc"` for a torchvision ResNet); nothing is removed by guessing. The
    module itself is kept, not copied, and `drop` changes it. The feature's length is measured with two blank inputs.

    Raises RequestError where there is no such sub-module, or the output is not one vector or map an example.
    """
    if isinstance(model, nn.Module):
        if drop is not None:
            _replace_by_identity(model, drop)
        return ModuleTrunk(model, input_shape)
    if drop is not None:
        raise RequestError(f"drop={drop!r} is for modules; a HuggingFace model is loaded without its head.")
    loaded = load_hf(model)
    if not isinstance(loaded, HfImageTrunk):
        raise RequestError(f"'{os.fspath(model)}' is a text model; embed the texts with it and train 'mlp' on those.")
    if len(input_shape) != 3:
        raise RequestError(f"'{os.fspath(model)}' is an image model, but the input has shape {input_shape}.")
    return loaded


def as_feature(output: Any) -> torch.Tensor:
    """(B, F) from a module's output: a tensor (maps are averaged), or a mapping that holds one as "feature"."""
    if isinstance(output, Mapping):
        if "feature" not in output:
            raise RequestError(f"the model returns a mapping without 'feature'; it has: {', '.join(output)}.")
        output = output["feature"]
    if not isinstance(output, torch.Tensor):
        raise RequestError(f"the model returns {type(output).__name__}; it must return a tensor (B, F).")
    return output.mean((2, 3)) if output.dim() == 4 else output


def _replace_by_identity(model: nn.Module, name: str) -> None:
    children = dict(model.named_modules())
    if not name or name not in children:
        last = list(dict(model.named_children()))[-5:]
        raise RequestError(f"the model has no part named '{name}' to drop; its last parts are: {', '.join(last)}.")
    parent, _, attribute = name.rpartition(".")
    setattr(children[parent], attribute, nn.Identity())
