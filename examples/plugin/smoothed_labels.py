"""A recipe in a package of its own: labels, smoothed.

`pip install -e .` in this folder, and `labelprop methods` lists it and `labelprop train DATA --recipe smoothed` runs.
The line in pyproject.toml names `entry`; its target makes the recipe. The settings are those of the method, with a
rate and a weight decay.
"""

from torch.nn import functional as F

from labelprop.methods import BatchSpec, Entry, LossTerms, Method, Settings, StreamSpec, recipe


class Smoothed(Method):
    """Cross-entropy with smoothed labels."""

    def __init__(self, *, batch_size: int = 12, smoothing: float = 0.1) -> None:
        super().__init__()
        self.needs, self.smoothing = BatchSpec(StreamSpec(batch_size)), smoothing

    def loss(self, net, batch, progress):
        logits_BC = net(batch.labeled.views_V[0])["class"]
        term = F.cross_entropy(logits_BC, batch.labels_B, label_smoothing=self.smoothing)
        return LossTerms({"smoothed": term}, {"smoothed": 1.0})


@recipe("smoothed", Smoothed)
def smoothed(s: Settings):
    """A recipe of one phase."""
    return (s.phase("smoothed", s.make(Smoothed)),)


entry = Entry("smoothed_labels:smoothed", "Labels, smoothed.")
