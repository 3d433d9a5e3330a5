"""A linear layer on a finished network."""

from __future__ import annotations

from labelprop.functional.schedule import two_drops
from labelprop.methods.supervised import Supervised
from labelprop.training.phases import Phase, Recipe
from labelprop.training.recipes.pieces import plain_momentum


def linear_readout(*, batch_size: int = 128, lr: float = 0.01, weight_decay: float = 1e-4) -> Recipe:
    """One linear layer on a frozen network, trained on the given labels: how good a representation is elsewhere.

    Transfer in Zhuang et al. 2019, Table 4; the network comes from another run (`--init`). Departs: the rate drops at
    half and at 80% of the training, where theirs waits for a validation loss to saturate.
    """
    settings = dict(locals())
    main = Phase(
        name="linear-readout",
        method=lambda: Supervised(batch_size=batch_size),
        optimizer=plain_momentum(settings),
        schedule=two_drops,
        trains_trunk=False,
    )
    return Recipe(name="linear-readout", phases=(main,), settings=settings)
