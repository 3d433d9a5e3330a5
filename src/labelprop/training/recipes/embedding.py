"""Recipes that train an embedding against a memory bank: instance recognition, local aggregation, LLP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelprop.functional.schedule import Schedule, constant, step
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.base import Method
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import FIRST_SHARE, own, plain_momentum, settings_of

INSTANCE_DROPS = (0.6, 0.8)  # epochs 120 and 160 of 200 (Wu et al. 2018)
AGGREGATION_DROPS = (0.8, 0.935)  # 160 and 187 of 200 (Zhuang, Zhai, Yamins 2019)
LOCAL_DROPS = (0.6, 0.75, 0.93)  # 194, 239 and 299 of about 320 (Zhuang et al. 2019, released code, ResNet-18)


def ir(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Instance recognition (Wu et al. 2018); the labels only vote. `method`: see `Instance`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(Instance, method)
    main = _instance_phase(settings, plain_momentum(settings), 1.0, step(*INSTANCE_DROPS))
    return Recipe(name="ir", phases=(main,), l2_feature=l2_feature, settings=settings)


def la(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Instance recognition, then local aggregation (Zhuang, Zhai, Yamins 2019). `method`: see `Aggregation`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(Aggregation, method)
    optimizer, schedule = plain_momentum(settings), step(*AGGREGATION_DROPS)
    return after_instances("la", lambda: Aggregation(**own(Aggregation, settings)), optimizer, settings, schedule)


def llp(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """LLP (Zhuang et al. 2019): instance recognition, then votes at every step. `method`: see `LocalLabels`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(LocalLabels, method)
    return before_votes("llp", lambda: LocalLabels(**own(LocalLabels, settings)), settings)


def before_votes(name: str, method: Callable[[], Method], settings: Mapping[str, Any]) -> Recipe:
    """Instance recognition, then a method around `LocalLabels`; as in its code batch norm does not decay."""
    return after_instances(name, method, plain_momentum(settings, decay_norms=False), settings, step(*LOCAL_DROPS))


def after_instances(
    name: str, method: Callable[[], Method], optimizer: Sgd, settings: Mapping[str, Any], schedule: Schedule
) -> Recipe:
    """A method that goes on from the bank, the weights and the optimizer of a phase of instance recognition."""
    main = Phase(
        name=name,
        method=method,
        optimizer=optimizer,
        schedule=schedule,
        keep_optimizer=True,
        keep_state=True,
    )
    phases = (_instance_phase(settings, optimizer, FIRST_SHARE, constant), main)
    return Recipe(name=name, phases=phases, l2_feature=settings["l2_feature"], settings=settings)


def _instance_phase(settings: Mapping[str, Any], optimizer: Sgd, share: float, schedule: Schedule) -> Phase:
    return Phase(
        name="ir",
        method=lambda: Instance(**own(Instance, settings)),
        share=share,
        optimizer=optimizer,
        schedule=schedule,
    )
