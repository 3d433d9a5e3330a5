"""Recipes on propagated labels: DLP and its ablation, with labels anew before every epoch; labels propagated once."""

from __future__ import annotations

from typing import Any

from labelprop.methods.base import Method
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.labels_once import LabelsOnce
from labelprop.methods.phases import Phase
from labelprop.methods.settings import FIRST_SHARE, Settings, defaults, recipe
from labelprop.methods.supervised import Supervised
from labelprop.propagators.diffusion import Diffusion

SYSTEM = ("n_neighbors", "power", "alpha", "preconditioner")
GRAPH = defaults(Diffusion, *SYSTEM)
PROPAGATION = (*SYSTEM, "max_iter", "tol", "balance_seeds", "max_normalize")
NEIGHBORS = defaults(DiffusionLabels, "class_share")
WEIGHTS = defaults(DiffusionLabels, "certainty", "class_balance", "max_class_weight", "label_view")
TRIED = ("label-propagation", "label-spreading", "diffusion")  # solved in a fraction of the time of the others
SIZES = defaults(DiffusionLabels, "batch_size", "labeled_batch_size")


@recipe("dlp", SIZES, WEIGHTS, NEIGHBORS, defaults(Diffusion, *PROPAGATION), l2_feature=True)
def dlp(s: Settings) -> tuple[Phase, ...]:
    """DLP (Iscen et al. 2019): labels only, then labels diffused anew before every epoch."""
    return after_labels("dlp", diffused_labels(s), s)


@recipe("network-prediction", SIZES, WEIGHTS, defaults(Diffusion, "max_normalize"), l2_feature=True)
def network_prediction(s: Settings) -> tuple[Phase, ...]:
    """DLP's ablation: the same training on the network's own predictions instead of diffused labels."""
    return after_labels("network-prediction", diffused_labels(s, source="network"), s)


@recipe("propagated", defaults(LabelsOnce, "batch_size"))
def propagated(s: Settings) -> tuple[Phase, ...]:
    """Labels propagated once over the examples as they are, and a network that learns them, weighted by certainty.

    `AutoPropagation` joins three propagators that are quick. It is `propagate` with a network to deploy, made for
    vectors of a pretrained model.
    """
    labels = s.make(LabelsOnce, source="propagation", weighted=True, source_parameters={"candidates": TRIED})
    return (s.phase("propagated", labels),)


def diffused_labels(s: Settings, **others: Any) -> DiffusionLabels:
    propagation = {name: s[name] for name in PROPAGATION if name in s}
    return s.make(DiffusionLabels, propagation=propagation, **others)


def after_labels(name: str, method: Method, s: Settings) -> tuple[Phase, ...]:
    """Stage 1 on the labels alone, stage 2 from its weights and optimizer state with a fresh schedule."""
    first = s.phase("supervised", s.make(Supervised), share=FIRST_SHARE)
    return first, s.phase(name, method, keep_optimizer=True)
