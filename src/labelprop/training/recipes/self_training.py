"""Recipes that train on labels of the network's own making: Pseudo-Label, Deep Metric Transfer, min-max features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from labelprop.functional.schedule import cosine
from labelprop.methods.instance import Instance
from labelprop.methods.labels_once import LabelsOnce
from labelprop.methods.min_max import MinMax
from labelprop.methods.phases import Phase, Recipe
from labelprop.methods.pseudo_label import PseudoLabel
from labelprop.methods.settings import FIRST_SHARE, Settings, defaults, pick, recipe
from labelprop.methods.supervised import Supervised
from labelprop.propagators.spectral_cut import SpectralCut


def pseudo_label(*, form: str = "online", **settings: Any) -> Recipe:
    """Pseudo-Label (Lee 2013). `form="online"`: new guesses at every step.

    `form="two-stage"`: a network trained on the labels alone labels all examples once, and a second one learns from
    these labels from scratch (the form in S4L and LLP). It has no settings of the method. The given labels stay; the
    first network trains a quarter as long as the second; rates are those of the other form.
    """
    made = pick("form", form, FORMS)(**settings)
    return replace(made, name="pseudo-label", settings={"form": form, **made.settings})


@recipe("pseudo-label", PseudoLabel)
def _online(s: Settings) -> tuple[Phase, ...]:
    return (s.phase("pseudo-label", s.make(PseudoLabel)),)


@recipe("pseudo-label with form='two-stage'", defaults(PseudoLabel, "batch_size"))
def _two_stage(s: Settings) -> tuple[Phase, ...]:
    first = s.phase("supervised", s.make(Supervised), share=FIRST_SHARE)
    return first, s.phase("pseudo-label", s.make(LabelsOnce), from_scratch=True)


FORMS: Mapping[str, Callable[..., Recipe]] = {"online": _online, "two-stage": _two_stage}

VOTE = {"n_neighbors": 200, "temperature": 0.1}  # of the released code
FRACTION = 0.2  # of the unlabeled examples (the released code, CIFAR-10 at 250 labels)


@recipe(
    "dmt",
    defaults(Instance, "batch_size", "dim", "momentum"),
    defaults(SpectralCut, "n_neighbors", "n_eigenvectors"),
    lr=0.01,
    metric_lr=0.03,
    weight_decay=5e-4,
    temperature=0.1,
    source="spectral-cut",
    cut_temperature=defaults(SpectralCut)["temperature"],
    fraction=None,
    weighted=False,
)
def dmt(s: Settings) -> tuple[Phase, ...]:
    """Deep Metric Transfer (Liu et al. 2018): instance recognition, then training on labels found once in its
    embedding.

    `source="spectral-cut"` is one normalized cut, with `n_neighbors`, `n_eigenvectors` and `cut_temperature`;
    `source="knn"` the paper's simpler form, a vote of the nearest labeled rows. The most certain 20% of these labels
    count, all alike (the released code); `weighted=True` is the paper's form, all of them by their certainty.
    `fraction` says another share. `dim`, `temperature`, `momentum` are of the instance recognition. Both phases are
    equally long, as on CIFAR-10. Departs: one cosine in the first phase where the code restarts it six times, and
    both end at 0 where the code ends at 1e-5. No labels train the first phase, unlike that of `llp`: the cut of an
    embedding learned without them is the method, and its network starts from these weights.
    """
    cut = {name: s[name] for name in ("n_neighbors", "n_eigenvectors")} | {"temperature": s["cut_temperature"]}
    found_by = pick("source", s["source"], {"spectral-cut": cut, "knn": VOTE})
    fraction = s["fraction"] if s["fraction"] is not None else 1.0 if s["weighted"] else FRACTION
    labels = s.make(LabelsOnce, fraction=fraction, source_parameters=found_by)

    schedule = partial(cosine, stretch=1)
    first = s.phase("ir", s.make(Instance), optimizer=s.sgd(lr=s["metric_lr"]), schedule=schedule)
    return first, s.phase("dmt", labels, schedule=schedule)


@recipe("tdcnn", MinMax)
def tdcnn(s: Settings) -> tuple[Phase, ...]:
    """Min-max features (Shi et al. 2018), experimental: labels alone, then the network's guesses."""
    first = s.phase("supervised", s.make(Supervised), share=FIRST_SHARE)
    return first, s.phase("tdcnn", s.make(MinMax), keep_optimizer=True)
