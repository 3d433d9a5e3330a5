"""`--model auto`: a network by modality, input and device, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def choose(modality: str, shape: tuple[int, ...], device: torch.device | str) -> tuple[str, str]:
    """The registered name of a model for examples of `shape`, (C, H, W) or (D,), on `device`, and the reason.

    Text never comes here: it reaches the network as vectors of a frozen backbone.
    """
    if modality != "image" or len(shape) != 3:
        return "mlp", f"vectors of {shape[0]} dimensions"
    height, width = shape[1:]
    size = min(height, width)
    pixels = f"images of {height}x{width} pixels"
    gpu = not str(device).startswith("cpu")
    if size < 8:
        return "mlp", f"{pixels} are too small to convolve"
    if size > 64:
        return "resnet18", f"{pixels}" + ("" if gpu else "; slow on a CPU: --image-size 64 or --backbone is quicker")
    if gpu and 24 <= size <= 40:
        return "conv13", f"{pixels} on a GPU: the papers' 13-layer network"
    if gpu and size > 40:
        return "preact_resnet18", f"{pixels} on a GPU"
    return "small_cnn", f"{pixels} {'on a GPU' if gpu else 'on a CPU'}"
