"""A network of the caller: a module from Python as the trunk, whose code only the caller has.

`model.json` says which class it was, and a hash of the names, shapes and types of its tensors.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.files import Digest
from labelprop.models.adapt import ModuleTrunk
from labelprop.models.network import ModelSpec, Network, build

OWN = "module"  # its name in a ModelSpec


@dataclass(frozen=True, slots=True, eq=False)
class OwnModel:
    """A copy of the caller's module, which takes examples of `input_shape`: (C, H, W) or (D,)."""

    module: nn.Module
    input_shape: tuple[int, ...]

    @classmethod
    def of(cls, given: Any, input_shape: tuple[int, ...], seed: int = 0) -> Self:
        """From a module, or a class or function that makes one; tried on two blank examples.

        Raises RequestError where that fails, or what comes out is no feature.
        """
        name = _name(given)
        with torch.random.fork_rng(devices=[]):  # of weights that are drawn here
            torch.default_generator.manual_seed(seed)
            try:
                module = copy.deepcopy(given) if isinstance(given, nn.Module) else given()
            except Exception as error:
                what = "copied" if isinstance(given, nn.Module) else "made without arguments; give an instance"
                raise RequestError(f"model={name} cannot be {what} ({type(error).__name__}: {error}).") from error
            if not isinstance(module, nn.Module):
                raise RequestError(f"model={name} gives {type(module).__name__}; it must give a torch.nn.Module.")
            module = module.cpu()
            try:
                ModuleTrunk(module, input_shape)
            except RequestError as error:
                raise RequestError(f"model={name}: {error}") from error
            except Exception as error:
                raise RequestError(
                    f"model={name} fails on 2 examples of shape {input_shape}, float32 and standardized "
                    f"({type(error).__name__}: {error}); its forward must take these and return features (2, F)."
                ) from error
        odd = [key for key, value in module.state_dict().items() if not isinstance(value, torch.Tensor)]
        if odd:
            raise RequestError(
                f"model={name} keeps state that is no tensor ({', '.join(odd)}), which no run can save."
            )
        return cls(module, input_shape)

    @property
    def options(self) -> dict[str, str]:
        """What a ModelSpec keeps of it."""
        tensors = sorted(self.module.state_dict().items())
        shapes = "\n".join(f"{name} {tensor.dtype} {tuple(tensor.shape)}" for name, tensor in tensors)
        return {"class": type(self.module).__qualname__, "tensors": Digest(shapes, size=16).hex()}

    def build(self, spec: ModelSpec, seed: int) -> Network:
        """The network of `spec` on a copy of the module with the weights that it has; `seed` draws the heads."""
        return build(spec, seed, lambda: ModuleTrunk(copy.deepcopy(self.module), self.input_shape))


def _name(given: Any) -> str:
    made = type(given) if isinstance(given, nn.Module) else given
    return getattr(made, "__qualname__", repr(made))
