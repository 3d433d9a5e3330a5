"""S4L-Exemplar: beside the labels, recognize an image in other crops of it (Zhai, Oliver, Kolesnikov, Beyer 2019).

L = CE_class of all views of the labeled examples + w mean log(1 + exp(d_positive - d_negative)), for every view the
distance to the farthest view of the same example and to the nearest of another, among those of one batch.
The views are those of `--augment`; the paper's are random crops with noise in hue, saturation and value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, Progress
from labelprop.functional.loss import batch_hard
from labelprop.methods.base import LossTerms, Net
from labelprop.methods.copies import Copies
from labelprop.methods.streams import two_streams
from labelprop.propagators.estimator.parameters import Count, Number, OneOf

VIEWS = ("weak", "strong")


@dataclass(eq=False, repr=False, kw_only=True)
class Exemplar(Copies):
    """Class of the labeled examples, and a triplet loss on all in an embedding of unit length.

    Parameters
    ----------
    copies : views of each.
    view : "weak" or "strong"; vectors, which the weak view shows as they are, need "strong" to have different views.
    dim : of the embedding.
    weight : of the triplet term.
    """

    copies: Annotated[int, Number(2, whole=True)] = 8
    view: Annotated[str, OneOf(VIEWS)] = "weak"
    dim: Count = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        views = (self.view,) * self.copies
        self.needs = two_streams(self.batch_size, self.labeled_batch_size, views, views)
        self.heads = {"class": None, "embedding": self.dim}

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
