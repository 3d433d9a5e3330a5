"""Recipes whose strong views learn from weak ones, with an average of the network deployed."""

from __future__ import annotations

from labelprop.functional.schedule import slow_cosine
from labelprop.methods.annealed_labels import AnnealedLabels
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Method
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.freematch import FreeMatch
from labelprop.methods.phases import Phase
from labelprop.methods.settings import Settings, recipe
from labelprop.methods.uda import Uda

WHOLE = {"decay": 0.9999, "statistics": "ema"}  # the average of UDA: batch norm's statistics too


@recipe("uda", Uda, WHOLE, lr=0.03, weight_decay=5e-4, annealing=None)
def uda(s: Settings) -> tuple[Phase, ...]:
    """UDA (Xie et al. 2020) with its CIFAR-10 settings.

    `annealing` lets labels in while the network is not yet sure of them: "linear", "exp" (for few labels: late) or
    "log" (early), see `AnnealedLabels`; None lets all in.
    """
    if s["annealing"] is None:
        return averaged("uda", s, s.make(Uda), s.given_labels("labeled"))
    return averaged("uda", s, s.make(Uda), s.make(AnnealedLabels, batch_size=s["labeled_batch_size"]))


@recipe("fixmatch", Averaged, FixMatch, lr=0.03, weight_decay=5e-4)
def fixmatch(s: Settings) -> tuple[Phase, ...]:
    """FixMatch (Sohn et al. 2020)."""
    return averaged("fixmatch", s, s.make(FixMatch), s.given_labels("labeled"))


@recipe("freematch", Averaged, FreeMatch, lr=0.03, weight_decay=5e-4)
def freematch(s: Settings) -> tuple[Phase, ...]:
    """FreeMatch (Wang et al. 2023)."""
    return averaged("freematch", s, s.make(FreeMatch), s.given_labels("labeled"))


def averaged(name: str, s: Settings, *methods: Method) -> tuple[Phase, ...]:
    """One phase of these methods and of an average that is deployed."""
    return (s.phase(name, s.make(Averaged), *methods, schedule=slow_cosine),)
