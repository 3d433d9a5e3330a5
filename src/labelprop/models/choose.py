"""`--model`: a network by modality, input and device, and why; or by name, with options in brackets."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.registry import lookup
from labelprop.core.text import counted, parse_value

if TYPE_CHECKING:
    import torch


def choose_model(modality: str, shape: tuple[int, ...], device: torch.device | str) -> tuple[str, str]:
    """The registered name of a model for examples of `shape`, (C, H, W) or (D,), on `device`, and the reason.

    Texts have been embedded before: they are vectors here.
    """
    if modality != "image" or len(shape) != 3:
        return "mlp", f"vectors of {counted(shape[0], 'dimension')}"
    height, width = shape[1:]
    size = min(height, width)
    pixels = f"images of {height}x{width} pixels"
    gpu = not str(device).startswith("cpu")
    if size < 8:
        return "mlp", f"{pixels} are too small to convolve"
    if size > 64:  # a stem that reduces fourfold still leaves a map to work on
        return "resnet18", f"{pixels}" + ("" if gpu else "; slow on a CPU: --image-size 64 or --backbone is quicker")
    if gpu and 24 <= size <= 40:  # it was made for 32
        return "conv13", f"{pixels} on a GPU: the papers' 13-layer network"
    if gpu and size > 40:
        return "preact_resnet18", f"{pixels} on a GPU"
    return "small_cnn", f"{pixels} {'on a GPU' if gpu else 'on a CPU'}"


def parse_model(text: str) -> tuple[str, dict[str, Any]]:
    """`preact_resnet18(width=16)` as a registered name and the trunk's options.

    Raises UnknownNameError for an unknown model or option, RequestError for what cannot be read.
    """
    found = re.fullmatch(r"\s*([^\s()]+)\s*(?:\(([^()]*)\))?\s*", text)
    if not found:
        raise RequestError(f"--model '{text}' cannot be read; write NAME or NAME(option=value, ...).")
    name, inside = found[1], found[2] or ""
    parameters = inspect.signature(lookup("models", name).load()).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    options = {}
    for part in filter(None, (piece.strip() for piece in inside.split(","))):
        option, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise RequestError(f"--model '{text}': '{part}' is not option=value.")
        if option not in known:
            raise UnknownNameError(f"option of model {name}", option, known)
        options[option] = parse_value(f"--model {name}({option})", value, known[option])
    return name, options
