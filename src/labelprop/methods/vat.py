"""Virtual adversarial training: the same answer in the worst direction around an example (Miyato et al. 2018).

mean KL(sg p(x) || p(x + r)), r = epsilon d, d the direction in which p changes most: from a random one, d is replaced
by the unit gradient of KL(sg p(x) || p(x + xi d)) with respect to d, `power_steps` times. All examples of the batch
count, labeled ones too (the paper draws from all training examples; Kolesnikov's code as here).

Departs from the paper: xi is 0.1, not 1e-6. Inputs have standard deviation 1, and in float32 a change by 1e-6 drowns
in rounding: the direction found is then noise. All passes are in float32, autocast or not, in training mode, with
running statistics left alone and one and the same dropout, so that r alone tells them apart and epsilon = 0 costs
nothing; the released code draws dropout anew for each. (Convolutions on CUDA may round what they multiply to TF32, as
torch lets them by default.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from torch.nn import functional as F

from labelprop.core.types import Batch, Progress
from labelprop.methods.base import LossTerms, Net, Outputs, frozen_statistics
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative, Number, OneOf, Positive

PAPER_EPSILON, PAPER_ENTRIES = 8.0, 3 * 32 * 32  # on CIFAR-10, with augmentation

Divergence = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def from_clean(clean_BC: torch.Tensor, moved_BC: torch.Tensor) -> torch.Tensor:
    """KL(clean || moved) of two sets of logits, (B,): the paper's."""
    clean_BC, moved_BC = clean_BC.log_softmax(dim=1), moved_BC.log_softmax(dim=1)
    return F.kl_div(moved_BC, clean_BC, reduction="none", log_target=True).sum(dim=1)


def from_moved(clean_BC: torch.Tensor, moved_BC: torch.Tensor) -> torch.Tensor:
    """KL(moved || clean), (B,): that of S4L and of Oliver et al. 2018."""
    return from_clean(moved_BC, clean_BC)


DIVERGENCES: Mapping[str, Divergence] = {"kl": from_clean, "reverse-kl": from_moved}


@dataclass(eq=False, repr=False, kw_only=True)
class Vat(TwoStreams):
    """Smoothness in the adversarial direction.

    Parameters
    ----------
    weight : of the term.
    epsilon : length of r. None for 8 sqrt(D / 3072), D the entries of an example: the paper's 8 on CIFAR-10, and the
        same share of the length of a standardized example elsewhere, of vectors too.
    xi : length of the step with which the direction is found.
    power_steps : how often it is improved; 0 leaves it random.
    divergence : "kl", or "reverse-kl", KL(p(x + r) || sg p(x)).
    """

    batch_size: int = 160
    labeled_batch_size: int = 32
    weight: NotNegative = 1.0
    epsilon: NotNegative | None = None
    xi: Positive = 0.1
    power_steps: Annotated[int, Number(0, whole=True)] = 1
    divergence: Annotated[str, OneOf(tuple(DIVERGENCES))] = "kl"

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        x_B = batch.joint.views_V[0]
        start_B = _unit(torch.randn_like(x_B))  # before the passes, which all go on from the same generator
        forward = _alike(frozen_statistics(net), x_B.device)
        with torch.no_grad():
            clean_BC = forward(x_B)["class"]
        direction_B = self._direction(forward, x_B, clean_BC, start_B)
        moved_BC = forward(x_B + self._length(x_B) * direction_B)["class"]
        term = DIVERGENCES[self.divergence](clean_BC, moved_BC).mean()
        return LossTerms({"adversarial": term}, {"adversarial": self.weight})

    def _length(self, x_B: torch.Tensor) -> float:
        if self.epsilon is not None:
            return self.epsilon
        return PAPER_EPSILON * math.sqrt(x_B.shape[1:].numel() / PAPER_ENTRIES)

    def _direction(
        self, forward: Net, x_B: torch.Tensor, clean_BC: torch.Tensor, direction_B: torch.Tensor
    ) -> torch.Tensor:
        """Where the output changes most: one unit vector an example; 0 for one whose output does not change at all.

        By power iteration: near x the gradient is xi times the Hessian of the divergence times d.
        """
        for _ in range(self.power_steps):
            moved_BC = forward(x_B + self.xi * direction_B.requires_grad_())["class"]
            (gradient_B,) = torch.autograd.grad(DIVERGENCES[self.divergence](clean_BC, moved_BC).sum(), direction_B)
            direction_B = _unit(gradient_B)
        return direction_B


def _unit(directions_B: torch.Tensor) -> torch.Tensor:
    """Each example's entries with length 1; zeros stay, and tiny ones do not vanish when they are squared."""
    flat_BD = directions_B.flatten(1)
    flat_BD = flat_BD / flat_BD.abs().amax(dim=1, keepdim=True).clamp_min(torch.finfo(flat_BD.dtype).tiny)
    return F.normalize(flat_BD, dim=1).view_as(directions_B)


def _alike(forward: Net, device: torch.device) -> Net:
    """Passes that all draw the same dropout, and leave the generators where they are."""
    devices = [device] if device.type == "cuda" else []

    def again(x: torch.Tensor) -> Outputs:
        with torch.random.fork_rng(devices):
            return forward(x)

    return again
