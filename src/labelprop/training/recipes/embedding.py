"""Recipes that train an embedding against a memory bank: instance recognition, local aggregation, LLP."""

from __future__ import annotations

from dataclasses import replace

from labelprop.functional.schedule import constant, step
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.base import Method
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.phases import Phase
from labelprop.methods.settings import FIRST_SHARE, Settings, recipe

INSTANCE_DROPS = (0.6, 0.8)  # epochs 120 and 160 of 200 (Wu et al. 2018)
AGGREGATION_DROPS = (0.8, 0.935)  # 160 and 187 of 200 (Zhuang, Zhai, Yamins 2019)
LOCAL_DROPS = (0.6, 0.75, 0.93)  # 194, 239 and 299 of about 320 (Zhuang et al. 2019, released code, ResNet-18)


@recipe("ir", Instance, lr=0.03, weight_decay=1e-4)
def ir(s: Settings) -> tuple[Phase, ...]:
    """Instance recognition (Wu et al. 2018); the labels only vote."""
    how = {"optimizer": s.sgd(nesterov=False), "schedule": step(*INSTANCE_DROPS)}
    return (s.phase("ir", s.make(Instance), **how),)


@recipe("la", Aggregation, lr=0.03, weight_decay=1e-4)
def la(s: Settings) -> tuple[Phase, ...]:
    """Instance recognition, then local aggregation (Zhuang, Zhai, Yamins 2019)."""
    how = {"optimizer": s.sgd(nesterov=False), "schedule": step(*AGGREGATION_DROPS)}
    return after_instances(s, s.phase("la", s.make(Aggregation), **how))


@recipe("llp", LocalLabels, lr=0.03, weight_decay=1e-4)
def llp(s: Settings) -> tuple[Phase, ...]:
    """LLP (Zhuang et al. 2019): instance recognition, then votes at every step."""
    return before_votes("llp", s, s.make(LocalLabels))


def before_votes(name: str, s: Settings, *methods: Method) -> tuple[Phase, ...]:
    """Instance recognition, then methods around `LocalLabels`; as in its code batch norm does not decay."""
    how = {"optimizer": s.sgd(nesterov=False, decay_norms=False), "schedule": step(*LOCAL_DROPS)}
    return after_instances(s, s.phase(name, *methods, **how))


def after_instances(s: Settings, main: Phase) -> tuple[Phase, ...]:
    """A phase that goes on from the bank, the weights and the optimizer of a phase of instance recognition."""
    how = {"share": FIRST_SHARE, "optimizer": main.optimizer, "schedule": constant}
    return s.phase("ir", s.make(Instance), **how), replace(main, keep_optimizer=True, keep_state=True)
