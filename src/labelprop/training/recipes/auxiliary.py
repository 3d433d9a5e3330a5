"""Recipes with a task beside the labels that needs none: S4L (Zhai et al. 2019).

Schedules are the paper's 200 epochs as shares: a warm-up, and drops at epochs 140, 160 and 180. The paper counts
epochs over the labeled images; here one is a pass over the unlabeled ones, as in most recipes.
"""

from __future__ import annotations

from labelprop.functional.schedule import step, warm_up
from labelprop.methods.copies import Copies
from labelprop.methods.exemplar import Exemplar
from labelprop.methods.phases import Phase
from labelprop.methods.rotation import Rotation
from labelprop.methods.settings import Settings, recipe

DROPS = (0.7, 0.8, 0.9)  # epochs 140, 160 and 180 of 200


@recipe("s4l-rotation", Rotation, lr=0.03, weight_decay=1e-3)
def s4l_rotation(s: Settings) -> tuple[Phase, ...]:
    """The labels, and by how much an image was turned."""
    return _s4l("s4l-rotation", s, s.make(Rotation), warm_up_share=5 / 200)


@recipe("s4l-exemplar", Exemplar, lr=0.1, weight_decay=1e-3)
def s4l_exemplar(s: Settings) -> tuple[Phase, ...]:
    """The labels, and which views are of the same example."""
    return _s4l("s4l-exemplar", s, s.make(Exemplar), warm_up_share=10 / 200)


def _s4l(name: str, s: Settings, method: Copies, *, warm_up_share: float) -> tuple[Phase, ...]:
    how = {"optimizer": s.sgd(nesterov=False), "schedule": warm_up(step(*DROPS), warm_up_share)}
    return (s.phase(name, method, **how),)
