"""The k largest values of every row, for rows much longer than k."""

from __future__ import annotations

import math

import numpy as np
import torch


def largest(values_BW: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of every row (B, k), descending, and their places, as `topk` finds them; quicker on a CPU.

    Columns are put into groups. The k largest values lie in the k groups with the largest peaks: a value outside of
    these is no larger than k others. So one top-k runs over peaks and one over the members of k groups.
    """
    width = values_BW.shape[1]
    size = group_size(width, k)
    if size == 1:
        best = values_BW.topk(k, dim=1)
        return best.values, best.indices
    groups = width // size
    grouped_BSG = values_BW[:, : groups * size].reshape(-1, size, groups)  # group g: columns g, g + groups, ...
    best_BK = grouped_BSG.amax(dim=1).topk(k, dim=1, sorted=False).indices
    members_BSK = grouped_BSG.gather(2, best_BK[:, None, :].expand(-1, size, -1))
    candidates = torch.cat([members_BSK.flatten(1), values_BW[:, groups * size :]], dim=1)
    found, within_BK = candidates.topk(k, dim=1)
    place_BK = best_BK.gather(1, within_BK % k) + within_BK // k * groups
    rest_BK = within_BK - k * size  # places behind the last whole group
    return found, torch.where(rest_BK < 0, place_BK, rest_BK + groups * size)


def kth_largest(values_BW: torch.Tensor, k: int) -> torch.Tensor:
    """The k-th largest value of every row (B,), for any k up to the width."""
    place = values_BW.shape[1] - k
    if values_BW.device.type == "cpu":  # numpy's selection is in vector instructions: a tenth of the time
        return torch.from_numpy(np.partition(values_BW.detach().numpy(), place, axis=1)[:, place].copy())
    return values_BW.topk(k, dim=1).values[:, -1]  # `kthvalue` has no kernel that repeats


def group_size(width: int, k: int) -> int:
    """About sqrt(width / k), a power of two: both top-k's then run over equally many values."""
    return 1 << round(math.log2(max(1, width / max(1, k))) / 2)
