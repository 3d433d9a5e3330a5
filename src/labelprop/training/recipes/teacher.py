"""Mean Teacher, alone and with diffused labels on top."""

from __future__ import annotations

from typing import Any

from labelprop.methods.base import Sum
from labelprop.methods.diffusion_labels import DiffusionLabels
from labelprop.methods.mean_teacher import MeanTeacher
from labelprop.training.phases import Phase, Recipe, Sgd
from labelprop.training.recipes.pieces import FIRST_SHARE, given_labels, own, settings_of


def mean_teacher(*, lr: float = 0.05, weight_decay: float = 2e-4, l2_feature: bool = False, **method: Any) -> Recipe:
    """Mean Teacher (Tarvainen & Valpola 2017) with the settings of the DLP paper. `method`: see `MeanTeacher`."""
    settings = {"lr": lr, "weight_decay": weight_decay, "l2_feature": l2_feature} | settings_of(MeanTeacher, method)
    main = Phase(
        name="mean-teacher",
        method=lambda: Sum(MeanTeacher(**own(MeanTeacher, settings)), given_labels(settings)),
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
    label_view: str = "eval",
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
    given = {name: value for name, value in locals().items() if name != "method"}
    settings = given | settings_of(MeanTeacher, method)
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)

    def diffused() -> DiffusionLabels:
        return DiffusionLabels(
            batch_size=settings["batch_size"],
            labeled_batch_size=settings["labeled_batch_size"],
            certainty=certainty,
            class_balance=class_balance,
            max_class_weight=max_class_weight,
            label_view=label_view,
            propagation={"n_neighbors": n_neighbors, "power": power, "alpha": alpha},
        )

    first = Phase(
        name="mean-teacher",
        method=lambda: Sum(MeanTeacher(**own(MeanTeacher, settings)), given_labels(settings)),
        share=FIRST_SHARE,
        optimizer=optimizer,
    )
    second = Phase(
        name="mt+dlp",
        method=lambda: Sum(MeanTeacher(**own(MeanTeacher, settings)), diffused()),
        optimizer=optimizer,
        keep_optimizer=True,
        keep_state=restore_teacher,
    )
    return Recipe(name="mt+dlp", phases=(first, second), l2_feature=l2_feature, settings=settings)
