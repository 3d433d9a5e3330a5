"""Views: what the network sees of an example in a step, made in batches on the device where the examples are.

"eval"     standardized only
"weak"     what `augment` says, standardized
"strong"   on top of the same shifts and flips, two random operations an image and cutout (images); noise (vectors)

Vectors are shown as they are in the weak view: nothing is known about their geometry that would keep a label. Their
strong view hides a random fifth of the entries and adds Gaussian noise of a tenth of a standard deviation.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from labelprop.data.augment_geometric import cutout, shift
from labelprop.data.augment_policies import apply_policies
from labelprop.data.preprocessing import Preprocessing
from labelprop.errors import RequestError

Augment = Literal["none", "shift", "shift+flip", "strong"]
View = Literal["eval", "weak", "strong"]

VECTOR_NOISE = 0.1  # standard deviations
VECTOR_DROP = 0.2  # share of entries hidden


class Views:
    """Makes views of raw examples. `augment` says what may be done to an example without changing its label.

    With "strong" the weak view is as strong as the strong one: shifts, flips in color only, operations, cutout.
    """

    def __init__(self, preprocessing: Preprocessing, augment: str) -> None:
        if augment not in get_args(Augment):
            raise RequestError(f"augment={augment!r} is not known; choose one of: {', '.join(get_args(Augment))}.")
        if preprocessing.kind == "vector" and augment in ("shift", "shift+flip"):
            raise RequestError(f"augment={augment!r} moves pixels, but the data are vectors; use 'none' or 'strong'.")
        self.preprocessing = preprocessing
        self.augment = augment
        color = preprocessing.kind == "image" and preprocessing.shape[0] > 1
        self._flips = augment == "shift+flip" or (augment == "strong" and color)

    def make(self, name: str, raw_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """View `name` of raw examples (B, *shape) on any device: float32, standardized, on that device.

        All randomness is drawn from `generator`; "eval" draws nothing.
        """
        if name not in get_args(View):
            raise RequestError(f"view {name!r} is not known; choose one of: {', '.join(get_args(View))}.")
        if name == "eval":
            return self.preprocessing.apply(raw_B)
        strong = name == "strong" or self.augment == "strong"
        if self.preprocessing.kind == "vector":
            standardized = self.preprocessing.apply(raw_B)
            return _perturb(standardized, generator) if strong else standardized
        images = raw_B if self.augment == "none" else shift(raw_B, generator, flip=self._flips)
        if not strong:
            return self.preprocessing.apply(images)
        return cutout(self.preprocessing.apply(apply_policies(images, generator)), generator)


def choose_augment(shape: tuple[int, ...]) -> tuple[str, str]:
    """`--augment auto`: the choice for examples of `shape`, and why."""
    if len(shape) != 3:
        return "none", "vectors have no geometry that is known to keep a label"
    if shape[0] == 1:
        return "shift", "gray images may be characters or scans, whose mirror image can mean something else"
    return "shift+flip", "color images are taken for photographs, whose mirror image shows the same thing"


def _perturb(vectors_BD: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    shape, device = vectors_BD.shape, generator.device
    noise = VECTOR_NOISE * torch.randn(shape, generator=generator, device=device)
    kept = torch.rand(shape, generator=generator, device=device) >= VECTOR_DROP
    return (vectors_BD + noise.to(vectors_BD.device)) * kept.to(vectors_BD.device)
