"""S4L-Rotation: beside the labels, learn by how much an image was turned (Zhai, Oliver, Kolesnikov, Beyer 2019).

L = CE_class of all four rotations of the labeled images + w (CE_rot(labeled) + CE_rot(unlabeled)) / 2, each a mean
over images and rotations. Images are turned by 0, 90, 180 and 270 degrees after the weak view was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.text import counted
from labelprop.core.types import Batch, Progress
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.copies import Copies
from labelprop.models.deployed import TURNS, MeanOfRotations, turned

HEADS: Mapping[str, int | None] = {"class": None, "rotation": TURNS}


@dataclass(eq=False, repr=False, kw_only=True)
class Rotation(Copies):
    """Class of the labeled images and angle of all, from two linear heads.

    Parameters
    ----------
    weight : of the rotation term.
    average : deploys the mean of the class logits over the four rotations; else those of the upright image.
    """

    average: bool = False

    heads = HEADS

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) != 3:
            return f"turns images by quarters, which vectors of {counted(shape[0], 'dimension')} are not"
        height, width = shape[1:]
        if height != width:
            return f"turns images by quarters, for which {height}x{width} pixels must be square (--image-size)"
        return None

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        images_B = batch.joint.views_V[0]
        n, n_labeled = len(images_B), len(batch.labels_B)
        found = net(torch.cat([turned(images_B, turn) for turn in range(TURNS)]))
        turns_R = torch.arange(TURNS, device=images_B.device).repeat_interleave(n)
        losses_KB = F.cross_entropy(found["rotation"], turns_R, reduction="none").reshape(TURNS, n)
        streams = [part for part in (losses_KB[:, :n_labeled], losses_KB[:, n_labeled:]) if part.numel()]
        terms = {
            "supervised": self.class_loss(found["class"].reshape(TURNS, n, -1), batch),
            "rotation": torch.stack([part.mean() for part in streams]).mean(),
        }
        return LossTerms(terms, {"supervised": 1.0, "rotation": self.weight})

    def deployed(self, net: nn.Module) -> nn.Module:
        return MeanOfRotations(net) if self.average else net
