"""Recipes that learn from the given labels alone."""

from __future__ import annotations

from collections.abc import Mapping

from labelprop.functional.schedule import Schedule, cosine, two_drops
from labelprop.methods.phases import Phase, Recipe
from labelprop.methods.settings import Settings, defaults, pick, recipe
from labelprop.methods.supervised import Supervised

SCHEDULES: Mapping[str, Schedule] = {"cosine": cosine, "two-drops": two_drops}


@recipe("supervised", defaults(Supervised, "batch_size"), l2_feature=True, schedule="cosine")
def supervised(s: Settings) -> tuple[Phase, ...]:
    """Labels only (the papers' "fully supervised" rows, stage 1 of DLP).

    `schedule` of the rate: "cosine", or "two-drops" to a tenth, as in fine-tuning after other labels (Zhuang et al.
    2019, appendix B: from `lr` 0.003).
    """
    schedule = pick("schedule", s["schedule"], SCHEDULES)
    return (s.phase("supervised", s.make(Supervised), schedule=schedule),)


def linear_readout(*, batch_size: int = 128, lr: float = 0.01, weight_decay: float = 1e-4) -> Recipe:
    """One linear layer on a frozen network, trained on the given labels: how good a representation is elsewhere.

    Transfer in Zhuang et al. 2019, Table 4; the network comes from another run (`--init`). Departs: the rate drops at
    half and at 80% of the training, where theirs waits for a validation loss to saturate.
    """
    s = Settings(locals())
    how = {"optimizer": s.sgd(nesterov=False), "schedule": two_drops, "trains_trunk": False}
    main = s.phase("linear-readout", s.make(Supervised), **how)
    return Recipe(name="linear-readout", phases=(main,), settings=s)
