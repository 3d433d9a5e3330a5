"""Recipes that learn from the given labels alone."""

from __future__ import annotations

from collections.abc import Mapping

from labelprop.core.errors import RequestError
from labelprop.functional.schedule import Schedule, cosine, two_drops
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe, Sgd

SCHEDULES: Mapping[str, Schedule] = {"cosine": cosine, "two-drops": two_drops}


def supervised(
    *,
    batch_size: int = 100,
    lr: float = 0.05,
    weight_decay: float = 2e-4,
    l2_feature: bool = True,
    schedule: str = "cosine",
) -> Recipe:
    """Labels only (the papers' "fully supervised" rows, stage 1 of DLP).

    `schedule` of the rate: "cosine", or "two-drops" to a tenth, as in fine-tuning after other labels (Zhuang et al.
    2019, appendix B: from `lr` 0.003).
    """
    if schedule not in SCHEDULES:
        raise RequestError(f"schedule is '{schedule}'; it must be one of {', '.join(SCHEDULES)}.")
    settings = dict(locals())
    optimizer = Sgd(lr=lr, weight_decay=weight_decay)
    main = Phase(
        name="supervised",
        method=lambda: Supervised(batch_size=batch_size),
        optimizer=optimizer,
        schedule=SCHEDULES[schedule],
    )
    return Recipe(name="supervised", phases=(main,), l2_feature=l2_feature, settings=settings)
