"""An average of the network's weights over the steps, deployed in place of the network.

It has no loss term: as the first part of a `Sum` it only decides what is deployed. The memory grows with the steps
done, a = min(t / (t + 9), decay), as TensorFlow's averages with `num_updates`: an average over the first few hundred
steps of a short training would remember its start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from torch import nn

from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.methods.base import LossTerms, Method, Net, Outputs
from labelprop.methods.state import Ema
from labelprop.propagators.estimator.parameters import OneOf, Share

LAG = 9  # of (1 + t) / (10 + t), the memory of TensorFlow's averages
FOLLOWED = ("copy", "ema")  # of `state.RULES`: nothing passes through the average in training


@dataclass(eq=False, repr=False, kw_only=True)
class Averaged(Method):
    """The exponential moving average of a network.

    Parameters
    ----------
    decay : the average's largest memory of itself.
    statistics : of batch normalization: "copy" the network's, or "ema", averaged like the weights.
    """

    needs = BatchSpec(StreamSpec(0))

    decay: Share = 0.999
    statistics: Annotated[str, OneOf(FOLLOWED)] = "copy"

    average: Ema = field(init=False)

    def setup(self, net: nn.Module, task: Task) -> None:
        self.average = Ema(net, decay=self.decay, statistics=self.statistics, lag=LAG)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        return LossTerms({}, {})

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        self.average.follow(net, {})

    def deployed(self, net: nn.Module) -> nn.Module:
        return self.average.net
