"""A recipe in a package of its own: labels, smoothed.

`pip install -e .` in this folder, and `labelprop methods` lists it and `labelprop train DATA --recipe smoothed` runs.
The line in pyproject.toml names `entry`; its target is a function of the settings that returns the recipe. These are
the parameters of the method, the rate and the decay, with the defaults that stand here.
"""

from __future__ import annotations

from torch.nn import functional as F

from labelprop.methods import (
    Batch,
    BatchSpec,
    Entry,
    LossTerms,
    Method,
    Net,
    Phase,
    Progress,
    Settings,
    StreamSpec,
    recipe,
)


class Smoothed(Method):
    """Cross-entropy with smoothed labels."""

    def __init__(self, *, batch_size: int = 12, smoothing: float = 0.1) -> None:
        super().__init__()
        self.needs, self.smoothing = BatchSpec(StreamSpec(batch_size)), smoothing

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        logits_BC = net(batch.labeled.views_V[0])["class"]
        term = F.cross_entropy(logits_BC, batch.labels_B, label_smoothing=self.smoothing)
        return LossTerms({"smoothed": term}, {"smoothed": 1.0})


@recipe("smoothed", Smoothed)
def smoothed(s: Settings) -> tuple[Phase, ...]:
    """A recipe of one phase."""
    return (s.phase("smoothed", s.make(Smoothed)),)


entry = Entry("smoothed_labels:smoothed", "Labels, smoothed.")
