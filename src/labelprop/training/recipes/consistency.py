"""Recipes whose network agrees with itself, on two views, over epochs, around an example, or with a second one."""

from __future__ import annotations

from functools import partial

from labelprop.functional.schedule import cosine
from labelprop.methods.co_training import CoTraining
from labelprop.methods.entropy import EntropyMinimization
from labelprop.methods.phases import Phase
from labelprop.methods.pi_model import PiModel
from labelprop.methods.settings import Settings, recipe
from labelprop.methods.temporal_ensembling import TemporalEnsembling
from labelprop.methods.vat import Vat


@recipe("pi", PiModel)
def pi(s: Settings) -> tuple[Phase, ...]:
    """The Pi-model (Laine & Aila 2017) with the optimizer of `mean_teacher`."""
    return (s.phase("pi", s.make(PiModel), s.given_labels()),)


@recipe("temporal-ensembling", TemporalEnsembling)
def temporal_ensembling(s: Settings) -> tuple[Phase, ...]:
    """Temporal ensembling (Laine & Aila 2017) with the optimizer of `mean_teacher`."""
    return (s.phase("temporal-ensembling", s.make(TemporalEnsembling), s.given_labels()),)


@recipe("vat", Vat)
def vat(s: Settings) -> tuple[Phase, ...]:
    """Virtual adversarial training (Miyato et al. 2018) with the optimizer of `mean_teacher`."""
    return (s.phase("vat", s.make(Vat), s.given_labels("labeled")),)


@recipe("vat-em", EntropyMinimization, Vat)
def vat_em(s: Settings) -> tuple[Phase, ...]:
    """`vat`, and entropy minimization on unlabeled examples."""
    return (s.phase("vat-em", s.make(Vat), s.make(EntropyMinimization), s.given_labels("labeled")),)


@recipe("dct", CoTraining, lr=0.1, weight_decay=1e-4)
def dct(s: Settings) -> tuple[Phase, ...]:
    """Deep Co-Training with two networks (Qiao et al. 2018), settings of CIFAR-10."""
    how = {"optimizer": s.sgd(nesterov=False), "schedule": partial(cosine, stretch=1)}
    return (s.phase("dct", s.make(CoTraining), **how),)
