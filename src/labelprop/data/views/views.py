"""Views: what the network sees of an example in a step, made in batches on the device where the examples are.

"eval"     standardized only
"weak"     what `augment` says, standardized
"strong"   on top of the same shifts and flips, two random operations an image and cutout (images); noise (vectors)

Crops at random ("crop+color+flip") are seen at 7/8 of the stored side, and so is the central crop of the eval view:
224 of 256 pixels, as in the papers on ImageNet. These resize an image by its shorter side and crop it where it is;
here images are stored as squares already (`--image-size 256`), so that crops come from the central square.

The weak view shows vectors unchanged unless `augment` asks for more: little is known about their geometry that would
keep a label. "noise" adds Gaussian noise of a tenth of a standard deviation, "mix" mixes with a near neighbor
(`mixing`; the loader, which knows the other rows, does that before a view is made), and "strong" hides a random fifth
of the entries and adds the noise, which is also what their strong view does, on top.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch

from labelprop.core.errors import RequestError
from labelprop.core.registry import AUGMENTS
from labelprop.data.views.color import jitter
from labelprop.data.views.geometric import cutout, padded_crop, resized_crop, shift, turned
from labelprop.data.views.policies import apply_policies
from labelprop.data.views.preprocessing import Preprocessing

View = Literal["eval", "weak", "strong"]

VECTOR_NOISE = 0.1  # standard deviations
VECTOR_DROP = 0.2  # share of entries hidden
FOR_VECTORS = ("none", "noise", "mix", "strong")
FOR_VECTORS_ALONE = ("noise", "mix")
# Of vectors of a backbone, where a recipe compares views. Three splits of banking77 (MiniLM), 5 labels a class, 1,600
# steps (benchmarks/vector_views.py): fixmatch 78.0% right with none, 78.2 with noise, 81.4 with this; mt+dlp 80.8,
# 80.7 and 80.7. After 500 steps of mt+dlp noise is ahead by 0.4, there and on what `photos` sees of CIFAR-10. Where
# views are not compared (dlp, 2,000 steps, one split) this is worse on the one, 66.6 to 64.8, better on the other.
COMPARED = "mix"
CROPPED = "crop+color+flip"  # crops at random: the network sees less than is stored
SEEN_SHARE = 7 / 8  # of a stored side, where views are crops at random
TURN = 10  # degrees (mini-ImageNet in DLP)


class Views:
    """Makes views of raw examples. `augment` says what may be done to an example without changing its label.

    "rotate+crop+flip" is that of DLP on mini-ImageNet, "crop+color+flip" that of LLP on ImageNet. With "strong" the
    weak view is as strong as the strong one: shifts, flips in color only, operations, cutout.
    """

    def __init__(self, preprocessing: Preprocessing, augment: str) -> None:
        if augment not in AUGMENTS:
            raise RequestError(f"augment={augment!r} is not known; choose one of: {', '.join(AUGMENTS)}.")
        images = preprocessing.kind == "image"
        known = [name for name in AUGMENTS if name not in FOR_VECTORS_ALONE] if images else FOR_VECTORS
        if augment not in known:
            why = "is for vectors, but the data are images" if images else "moves pixels, but the data are vectors"
            raise RequestError(f"augment={augment!r} {why}; use one of: {', '.join(known)}.")
        self.preprocessing = preprocessing
        self.augment = augment
        color = images and preprocessing.shape[0] > 1
        self._flips = augment == "shift+flip" or (augment == "strong" and color)

    @property
    def mixes(self) -> bool:
        """Whether views, apart from "eval", are to be made of examples that were mixed with a near neighbor."""
        return self.augment == "mix"

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
            if strong:
                return _perturb(standardized, generator)
            return _noisy(standardized, generator) if self.augment == "noise" else standardized
        images = self._moved(raw_B, generator)
        if strong:
            return cutout(self.preprocessing.standardize(apply_policies(images, generator)), generator)
        return self.preprocessing.standardize(jitter(images, generator) if self.augment == CROPPED else images)

    def _moved(self, raw_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """What the augmentation does to the place of pixels, with its values as they are: (B, *seen_shape)."""
        if self.augment == CROPPED:
            high, wide = self.preprocessing.seen_shape[1:]
            return resized_crop(raw_B.float(), (high, wide), generator, flip=True)
        images = self.preprocessing.center(raw_B)
        match self.augment:
            case "none":
                return images
            case "rotate+crop+flip":
                return padded_crop(turned(images.float(), generator, degrees=TURN), generator, flip=True)
            case _:
                return shift(images, generator, flip=self._flips)


def preprocessing_for(augment: str, preprocessing: Preprocessing) -> Preprocessing:
    """The preprocessing with what this augmentation lets the network see of an image."""
    if augment != CROPPED or preprocessing.kind == "vector":
        return preprocessing
    high, wide = (max(1, round(SEEN_SHARE * side)) for side in preprocessing.shape[1:])
    return replace(preprocessing, seen=(high, wide))


def choose_augment(shape: tuple[int, ...], compared: bool = False) -> tuple[str, str]:
    """`--augment auto`: the choice for examples of `shape`, and why.

    `compared` are vectors of a backbone, whose neighbors are mostly of their class, in a recipe that compares views.
    """
    if len(shape) != 3 and compared:
        return COMPARED, "the recipe compares views, and vectors of a backbone that are near are mostly of one class"
    if len(shape) != 3:
        return "none", "vectors have no geometry that is known to keep a label"
    if shape[0] == 1:
        return "shift", "gray images may be characters or scans, whose mirror image can mean something else"
    return "shift+flip", "color images are taken for photographs, whose mirror image shows the same thing"


def _noisy(vectors_BD: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    noise = VECTOR_NOISE * torch.randn(vectors_BD.shape, generator=generator, device=generator.device)
    return vectors_BD + noise.to(vectors_BD.device)


def _perturb(vectors_BD: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    noisy_BD = _noisy(vectors_BD, generator)
    kept = torch.rand(vectors_BD.shape, generator=generator, device=generator.device) >= VECTOR_DROP
    return noisy_BD * kept.to(vectors_BD.device)
