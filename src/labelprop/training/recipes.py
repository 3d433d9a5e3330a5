"""Recipes: each a short function of its settings. `--set name=value` reaches every one of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from labelprop import registry
from labelprop.errors import UnknownNameError
from labelprop.functional.schedule import Schedule, constant, step
from labelprop.methods.aggregation import Aggregation
from labelprop.methods.base import Method, Sum
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.instance import Instance
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd

FIRST_SHARE = 1 / 4  # of the main phase: the length of a phase before it
JUMP_SHARE = 1 / 4  # and of a rate jump after it
INSTANCE_DROPS = (0.6, 0.8)  # epochs 120 and 160 of 200 (Wu et al. 2018)
AGGREGATION_DROPS = (0.8, 0.935)  # 160 and 187 of 200 (Zhuang, Zhai, Yamins 2019)
LOCAL_DROPS = (0.6, 0.75, 0.93)  # 194, 239 and 299 of about 320 (Zhuang et al. 2019, released code, ResNet-18)
JUMP_DROPS = (0.5, 0.8)
JUMP = 0.1  # of the peak rate: 0.003 after 0.03
PROPAGATION = ("n_neighbors", "power", "alpha", "max_iter", "tol", "balance_seeds", "max_normalize")


def supervised(
    *,
    batch_size: int = 100,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
) -> Recipe:
    """Labels only (the papers' "fully supervised" rows, stage 1 of DLP)."""
    settings = dict(locals())
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)
    main = Phase(name="supervised", method=lambda: Supervised(batch_size=batch_size), optimizer=optimizer)
    return Recipe(name="supervised", phases=(main,), l2_feature=l2_feature, settings=settings)


def dlp(
    *,
    batch_size: int = 100,
    labeled_batch_size: int = 50,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    n_neighbors: int = 50,
    power: float = 3,
    alpha: float = 0.99,
    max_iter: int = 20,
    tol: float = 1e-6,
    balance_seeds: bool = True,
    max_normalize: bool = True,
) -> Recipe:
    """DLP (Iscen et al. 2019): labels only, then labels diffused anew before every epoch."""
    settings = dict(locals())
    propagation = {name: settings[name] for name in PROPAGATION}

    def method() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=batch_size,
            labeled_batch_size=labeled_batch_size,
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            propagation=propagation,
        )

    return _two_stages("dlp", method, Sgd(lr=lr, weight_decay=weight_decay), l2_feature, settings)


def network_prediction(
    *,
    batch_size: int = 100,
    labeled_batch_size: int = 50,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    max_normalize: bool = True,
) -> Recipe:
    """DLP's ablation: the same training on the network's own predictions instead of diffused labels."""
    settings = dict(locals())

    def method() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=batch_size,
            labeled_batch_size=labeled_batch_size,
            source="network",
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            propagation={"max_normalize": max_normalize},
        )

    return _two_stages("network-prediction", method, Sgd(lr=lr, weight_decay=weight_decay), l2_feature, settings)


def mean_teacher(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Mean Teacher (Tarvainen & Valpola 2017) with the settings of the DLP paper. `method`: see `MeanTeacher`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | _settings(MeanTeacher, method)
    main = Phase(
        name="mean-teacher",
        method=lambda: Sum(MeanTeacher(**_of(MeanTeacher, settings)), _given_labels(settings)),
        optimizer=Sgd(lr=lr, weight_decay=weight_decay),
    )
    return Recipe(name="mean-teacher", phases=(main,), l2_feature=l2_feature, settings=settings)


def mt_dlp(
    *,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = False,
    certainty: bool = True,
    class_balance: bool = True,
    max_class_weight: float | None = None,
    n_neighbors: int = 50,
    power: float = 3,
    alpha: float = 0.99,
    restore_teacher: bool = True,
    **method: Any,
) -> Recipe:
    """MT + DLP (Iscen et al. 2019): Mean Teacher, then the same with diffused labels. `method`: see `MeanTeacher`.

    The graph is built on the student's features. `restore_teacher=False` starts the second stage's teacher anew from
    the student (the released code starts it from random weights).
    """
    own = {name: value for name, value in locals().items() if name != "method"}
    settings = own | _settings(MeanTeacher, method)
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)

    def diffused() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=settings["batch_size"],
            labeled_batch_size=settings["labeled_batch_size"],
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            propagation={"n_neighbors": n_neighbors, "power": power, "alpha": alpha},
        )

    first = Phase(
        name="mean-teacher",
        method=lambda: Sum(MeanTeacher(**_of(MeanTeacher, settings)), _given_labels(settings)),
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(
        name="mt+dlp",
        method=lambda: Sum(MeanTeacher(**_of(MeanTeacher, settings)), diffused()),
        optimizer=optimizer,
        keep_optimizer=True,
        keep_state=restore_teacher,
    )
    return Recipe(name="mt+dlp", phases=(first, second), l2_feature=l2_feature, settings=settings)


def ir(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Instance recognition (Wu et al. 2018); the labels only vote. `method`: see `Instance`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | _settings(Instance, method)
    main = _instance_phase(settings, 1.0, step(*INSTANCE_DROPS))
    return Recipe(name="ir", phases=(main,), l2_feature=l2_feature, settings=settings)


def la(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Instance recognition, then local aggregation (Zhuang, Zhai, Yamins 2019). `method`: see `Aggregation`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | _settings(Aggregation, method)
    return _after_instances("la", Aggregation, settings, step(*AGGREGATION_DROPS))


def llp(*, lr: float = 0.03, weight_decay: float = 1e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """LLP (Zhuang et al. 2019): instance recognition, then votes at every step. `method`: see `LocalLabels`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | _settings(LocalLabels, method)
    return _after_instances("llp", LocalLabels, settings, step(*LOCAL_DROPS))


def llp_rj(**settings: Any) -> Recipe:
    """`llp`, and a rate jump after it."""
    return _with_rate_jump(llp(**settings))


def supervised_rj(**settings: Any) -> Recipe:
    """`supervised`, and a rate jump after it: the control of `llp+rj`."""
    return _with_rate_jump(supervised(**settings))


def mean_teacher_rj(**settings: Any) -> Recipe:
    """`mean-teacher`, and a rate jump after it: the control of `llp+rj`."""
    return _with_rate_jump(mean_teacher(**settings))


def linear_readout(*, batch_size: int = 128, lr: float = 0.01, weight_decay: float = 1e-4) -> Recipe:
    """One linear layer on a frozen network, trained on the given labels: how good a representation is elsewhere.

    Transfer in Zhuang et al. 2019, Table 4; the network comes from another run (`--init`).
    """
    settings = dict(locals())
    main = Phase(
        name="linear-readout",
        method=lambda: Supervised(batch_size=batch_size),
        optimizer=_plain_momentum(settings),
        schedule=step(*JUMP_DROPS),
        trains_trunk=False,
    )
    return Recipe(name="linear-readout", phases=(main,), settings=settings)


def _with_rate_jump(recipe: Recipe) -> Recipe:
    """The recipe with one more phase of its main method, at a rate raised again after the last drop."""
    optimizer = replace(recipe.main.optimizer, lr=JUMP * recipe.main.optimizer.lr)
    jump = replace(
        recipe.main,
        name="rate jump",
        share=JUMP_SHARE,
        optimizer=optimizer,
        schedule=step(*JUMP_DROPS),
        keep_optimizer=True,
        keep_state=True,
    )
    return replace(recipe, name=f"{recipe.name}+rj", phases=(*recipe.phases, jump))


def _after_instances(name: str, kind: type[Method], settings: Mapping[str, Any], schedule: Schedule) -> Recipe:
    """A method that goes on from the bank, the weights and the optimizer of a phase of instance recognition."""
    main = Phase(
        name=name,
        method=lambda: kind(**_of(kind, settings)),
        optimizer=_plain_momentum(settings),
        schedule=schedule,
        keep_optimizer=True,
        keep_state=True,
    )
    phases = (_instance_phase(settings, FIRST_SHARE, constant), main)
    return Recipe(name=name, phases=phases, l2_feature=settings["l2_feature"], settings=settings)


def _instance_phase(settings: Mapping[str, Any], share: float, schedule: Schedule) -> Phase:
    return Phase(
        name="ir",
        method=lambda: Instance(**_of(Instance, settings)),
        share=share,
        optimizer=_plain_momentum(settings),
        schedule=schedule,
    )


def _plain_momentum(settings: Mapping[str, Any]) -> Sgd:
    return Sgd(lr=settings["lr"], weight_decay=settings["weight_decay"], nesterov=False)


def _given_labels(settings: Mapping[str, Any]) -> Supervised:
    return Supervised(batch_size=int(settings["labeled_batch_size"]))


def _settings(kind: type[Method], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a method with their defaults, those given changed."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(kind).parameters.items()}
    return defaults | dict(given)


def _of(kind: type[Method], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that are parameters of this method."""
    return {name: settings[name] for name in inspect.signature(kind).parameters if name in settings}


def _two_stages(
    name: str,
    method: Callable[[], DiffusionLabels],
    optimizer: Sgd,
    l2_feature: bool,
    settings: dict[str, Any],
) -> Recipe:
    """Stage 1 on the labels alone, stage 2 from its weights and optimizer state with a fresh schedule."""
    batch_size = int(settings["batch_size"])
    first = Phase(
        name="supervised",
        method=lambda: Supervised(batch_size=batch_size),
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(name=name, method=method, optimizer=optimizer, keep_optimizer=True)
    return Recipe(name=name, phases=(first, second), l2_feature=l2_feature, settings=settings)


def build(name: str, settings: Mapping[str, Any]) -> Recipe:
    """The recipe `name` with its defaults overridden by `settings`.

    Raises UnknownNameError for an unknown recipe or setting, RequestError for a value it cannot use.
    """
    entry = registry.lookup("recipes", name)
    for key in settings:
        if key not in entry.parameters:
            raise UnknownNameError(f"setting of recipe {name}", key, entry.parameters)
    recipe = entry.load()(**settings)
    assert isinstance(recipe, Recipe)
    for phase in recipe.phases:
        phase.method()  # refuses settings it cannot use now rather than in the middle of training
    return recipe
