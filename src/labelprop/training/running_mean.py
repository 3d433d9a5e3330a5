"""The mean of a loss and its terms over an epoch, which stops a training that diverged."""

from __future__ import annotations

import math

import torch

from labelprop.core.distributed import Group
from labelprop.core.errors import NonFiniteLossError
from labelprop.core.types import Progress
from labelprop.methods.base import LossTerms

LARGEST_LOSS = 1e5  # beyond, the released code of DLP gives up
CHECK_EVERY = 20  # steps between looks at whether the loss is finite; a look makes a GPU wait


class RunningMean:
    """The mean over the steps of an epoch and over the processes; kept on the device."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._sums: dict[str, torch.Tensor] = {}
        self._steps = 0

    def add(self, total: torch.Tensor, found: LossTerms, progress: Progress) -> None:
        for name, value in {"loss": total, **found.terms}.items():
            self._sums[name] = self._sums[name] + value.detach() if name in self._sums else value.detach().clone()
        self._steps += 1
        if self._steps % CHECK_EVERY == 0:
            self._means(progress.step)

    def _means(self, step: int) -> dict[str, float]:
        """Means over the steps so far and over the processes."""
        sums_T = torch.stack([value.double() for value in self._sums.values()])
        self._group.mean_([sums_T])
        sums = dict(zip(self._sums, sums_T.tolist(), strict=True))
        means = {name: value / self._steps for name, value in sums.items()}
        if not abs(means["loss"]) <= LARGEST_LOSS:
            terms = ", ".join(f"{name} {value:g}" for name, value in means.items() if name != "loss")
            how = "above 100,000" if math.isfinite(means["loss"]) else "not finite"
            raise NonFiniteLossError(
                f"the loss is {how} at step {step}: means of its terms over the epoch are {terms}. "
                "Lower the learning rate (--set lr=...) or look at the data with `labelprop doctor`."
            )
        return means

    def finish(self) -> dict[str, float]:
        return {name: round(value, 9) for name, value in self._means(self._steps).items()}
