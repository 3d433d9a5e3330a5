"""An average of the network's weights over the steps, deployed in place of the network.

It has no term: as the first part of a `Sum` it decides what predicts, and teaches nobody. The memory grows with the
steps done, a = min(t / (t + 9), decay), as TensorFlow's averages with `num_updates`: an average over the first few
hundred steps of a short training would remember its start.
"""

from __future__ import annotations

from torch import nn

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, Progress, StreamSpec, Task
from labelprop.methods.base import LossTerms, Method, Net, Outputs
from labelprop.methods.state import Ema

LAG = 9
FOLLOWED = ("copy", "ema")  # of `state.RULES`: nothing passes through the average in training


class Averaged(Method):
    """The exponential moving average of a network.

    Parameters
    ----------
    decay : the average's largest memory of itself.
    statistics : of batch normalization: "copy" the network's, or "ema", averaged like the weights.
    """

    needs = BatchSpec(StreamSpec(0))
    average: Ema

    def __init__(self, *, decay: float = 0.999, statistics: str = "copy") -> None:
        super().__init__()
        if not 0 <= decay < 1:
            raise RequestError(f"decay={decay} must be at least 0 and below 1.")
        if statistics not in FOLLOWED:
            raise RequestError(f"statistics is '{statistics}'; it must be one of {', '.join(FOLLOWED)}.")
        self.decay, self.statistics = decay, statistics

    def setup(self, net: nn.Module, task: Task) -> None:
        self.average = Ema(net, decay=self.decay, statistics=self.statistics, lag=LAG)

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        return LossTerms({}, {})

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        self.average.follow(net, {})

    def deployed(self, net: nn.Module) -> nn.Module:
        return self.average.net
