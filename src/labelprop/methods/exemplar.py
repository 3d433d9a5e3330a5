"""S4L-Exemplar: beside the labels, know an image again in other crops of it (Zhai, Oliver, Kolesnikov, Beyer 2019).

L = CE_class of all views of the labeled examples + w mean log(1 + exp(d_positive - d_negative)), for every view the
distance to the farthest view of the same example and to the nearest of another, among those of one batch.
The views are those of `--augment`; the paper's are random crops with noise in hue, saturation and value.
"""

from __future__ import annotations

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress
from labelprop.functional.pairs import batch_hard
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.copies import Copies

VIEWS = ("weak", "strong")


class Exemplar(Copies):
    """Class of the labeled examples, and a triplet loss on all in an embedding of unit length.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled.
    copies : views of each.
    view : "weak" or "strong"; vectors, which the weak view shows as they are, need "strong" to have different views.
    dim : of the embedding.
    weight : of the triplet term.
    """

    def __init__(
        self,
        *,
        batch_size: int = 512,
        labeled_batch_size: int = 256,
        copies: int = 8,
        view: str = "weak",
        dim: int = 1000,
        weight: float = 1.0,
    ) -> None:
        if view not in VIEWS:
            raise RequestError(f"view is '{view}'; it must be one of {', '.join(VIEWS)}.")
        for name, value, least in (("copies", copies, 2), ("dim", dim, 1)):
            if value < least:
                raise RequestError(f"{name}={value} must be at least {least}.")
        super().__init__(
            batch_size=batch_size, labeled_batch_size=labeled_batch_size, weight=weight, views=(view,) * copies
        )
        self.heads = {"class": None, "embedding": dim}
        self.view = view

    def refuses(self, shape: tuple[int, ...]) -> str | None:
        if len(shape) == 1 and self.view == "weak":
            return "compares views of an example, and weak ones of vectors can be all alike; use --set view=strong"
        return None

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        views_V, own_B = batch.joint.views_V, batch.joint.indices_B
        if progress.step == 0 and all(torch.equal(view, views_V[0]) for view in views_V):
            raise RequestError(
                "all views of an example are alike, so that there is nothing to learn from them: choose another "
                "--augment, or --set view=strong."
            )
        found = net(torch.cat(views_V))
        terms = {
            "supervised": self.class_loss(found["class"].reshape(len(views_V), len(own_B), -1), batch),
            "triplet": batch_hard(found["embedding"], own_B.repeat(len(views_V))).mean(),
        }
        return LossTerms(terms, {"supervised": 1.0, "triplet": self.weight})
