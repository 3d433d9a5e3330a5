"""A recipe in a package of its own: labels, smoothed.

`pip install -e .` in this folder, and `labelprop methods` lists it and `labelprop train DATA --recipe smoothed` runs.
The line in pyproject.toml names `entry`; its target is a function of the settings that returns the recipe.
"""

from __future__ import annotations

from torch.nn import functional as F

from labelprop.core.entry import Entry
from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec
from labelprop.methods.base import LossTerms, Method, Net
from labelprop.training.phases import Phase, Recipe, Sgd


class Smoothed(Method):
    """Cross-entropy with smoothed labels."""

    def __init__(self, *, batch_size: int = 12, smoothing: float = 0.1) -> None:
        super().__init__()
        self.needs, self.smoothing = BatchSpec(StreamSpec(batch_size)), smoothing

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC = net(batch.labeled.views_V[0])["class"]
        term = F.cross_entropy(logits_BC, batch.labels_B, label_smoothing=self.smoothing)
        return LossTerms({"smoothed": term}, {"smoothed": 1.0})


def smoothed(*, batch_size: int = 12, smoothing: float = 0.1) -> Recipe:
    """A recipe of one phase."""
    settings = dict(locals())
    phase = Phase(name="smoothed", method=lambda: Smoothed(**settings), optimizer=Sgd(lr=0.05))
    return Recipe(name="smoothed", phases=(phase,), settings=settings)


entry = Entry("smoothed_labels:smoothed", "Labels, smoothed.", {"batch_size": 12, "smoothing": 0.1})
