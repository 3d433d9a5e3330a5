"""A linear layer on a finished network."""

from __future__ import annotations

from labelprop.functional.schedule import step
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe
from labelprop.training.recipes.pieces import plain_momentum

DROPS = (0.5, 0.8)


def linear_readout(*, batch_size: int = 128, lr: float = 0.01, weight_decay: float = 1e-4) -> Recipe:
    """One linear layer on a frozen network, trained on the given labels: how good a representation is elsewhere.

    Transfer in Zhuang et al. 2019, Table 4; the network comes from another run (`--init`).
    """
    settings = dict(locals())
    main = Phase(
        name="linear-readout",
        method=lambda: Supervised(batch_size=batch_size),
        optimizer=plain_momentum(settings),
        schedule=step(*DROPS),
        trains_trunk=False,
    )
    return Recipe(name="linear-readout", phases=(main,), settings=settings)
