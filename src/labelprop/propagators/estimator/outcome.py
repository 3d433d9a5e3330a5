"""From solved scores to a `Propagation`: what every propagator does with its distributions at the end."""

from __future__ import annotations

from typing import Any

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import UNLABELED, Propagation
from labelprop.functional.solve import Verdict
from labelprop.functional.weigh import class_weights
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.estimator.top_classes import is_wide

DIRECT = Verdict(0, 0.0, converged=True)  # where nothing was iterated


def conclude(
    scores_NC: torch.Tensor,
    distributions_NC: torch.Tensor,
    certainty_N: torch.Tensor,
    reached_N: torch.Tensor,
    seeds: Seeds,
    verdict: Verdict = DIRECT,
    *,
    labels_N: torch.Tensor | None = None,
) -> Propagation:
    """Labels by argmax (ties: the lowest class); seeds keep theirs with certainty 1, unreached rows get -1 and 0.

    `labels_N` gives the argmax where the distributions hold only some classes of a row.
    """
    seeded_N = seeds.mask_N
    reached_N = reached_N | seeded_N
    labels_N = distributions_NC.argmax(dim=1) if labels_N is None else labels_N
    labels_N = labels_N.masked_fill(~reached_N, UNLABELED).where(~seeded_N, seeds.labels_N)
    certainty_N = certainty_N.masked_fill(~reached_N, 0).masked_fill(seeded_N, 1)
    weight_C = class_weights(labels_N, seeds.n_classes, certainty_N.dtype)
    found = (scores_NC, distributions_NC, labels_N, certainty_N, reached_N, weight_C)
    return Propagation(*found, verdict.steps, verdict.residual, verdict.converged)


def check_volume(volume: Any, seeds: Seeds) -> None:
    """Raises RequestError unless `volume` is None, "seeds", or C shares that are not negative and not all zero."""
    check_shares("volume", volume, seeds.n_classes)
    if volume is not None:
        refuse_wide(f"volume={volume!r}", seeds, "Use volume=None, or fewer rows.")


def refuse_wide(what: str, seeds: Seeds, advice: str) -> None:
    """Raises RequestError for `what`, which needs all classes, where results are too wide to hold."""
    if is_wide(seeds.n, seeds.n_classes):
        raise RequestError(
            f"{what} needs all scores at once, and {seeds.n} rows x {seeds.n_classes} classes are more than "
            f"{top_classes.DENSE_LIMIT}. {advice}"
        )


def check_shares(
    name: str, value: Any, n_classes: int, *, words: tuple[str, ...] = ("seeds",), positive: bool = False
) -> None:
    """Raises RequestError unless parameter `name` is None, one of `words`, or a share for each class.

    Shares are not negative and not all zero; where `positive`, none of them is zero.
    """
    if value is None or (isinstance(value, str) and value in words):
        return
    named = "".join(f"{word!r}, " for word in words)
    wanted = f"None, {named}or an array of one share a class, " + (
        "all positive" if positive else "not negative and not all zero"
    )
    try:
        shares_C = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise RequestError(f"{name}={value!r}: must be {wanted}.") from None
    if shares_C.shape != (n_classes,):
        raise RequestError(f"{name} has shape {tuple(shares_C.shape)} for {n_classes} classes; it must be {wanted}.")
    allowed_C = shares_C.isfinite() & ((shares_C > 0) if positive else (shares_C >= 0))
    if not bool(allowed_C.all()) or float(shares_C.sum()) == 0:
        raise RequestError(f"{name}={shares_C.tolist()}: must be {wanted}.")


def refuse_two(name: str, value: Any, volume: Any) -> None:
    """Raises RequestError where both a class prior of another kind (parameter `name`) and `volume` are given."""
    if value is not None and volume is not None:
        raise RequestError(f"{name} and volume both re-weight classes to wanted shares; give one of them.")
