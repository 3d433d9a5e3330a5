"""Tensors as a safetensors file takes them."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def for_saving(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Detached, on the CPU, contiguous, and none with the memory of another (tied weights are saved twice)."""
    found: dict[str, torch.Tensor] = {}
    taken = set()
    for name, tensor in tensors.items():
        compact = tensor.detach().cpu().contiguous()
        place = compact.untyped_storage().data_ptr()
        found[name] = compact.clone() if place in taken else compact
        taken.add(place)
    return found
