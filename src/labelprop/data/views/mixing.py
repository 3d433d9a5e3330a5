"""Vectors mixed with a near neighbor: a view that keeps the label where near vectors are mostly of one class.

x' = x + s (z - x), where z is one of the 10 nearest rows by cosine, drawn anew for each view, and s is uniform in
[0, 1/2): the view is always nearer to its own example. Which rows are near is found once, before training, so that a
step only reads a table, and all processes and continued runs read the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from labelprop.data.contents import TensorContent
from labelprop.graph.neighbors import nearest

if TYPE_CHECKING:
    from labelprop.data.contents import Content

NEAR = 10  # neighbors of each row
FARTHEST = 0.5  # of the way to the neighbor


def near_rows(content: Content, device: torch.device) -> torch.Tensor:
    """The nearest rows of each, (N, K) int64 on the CPU with K at most 10.

    A row without neighbors (a vector of zeros, or the only one) is its own neighbor.
    """
    n = len(content)
    vectors_ND = content.array() if isinstance(content, TensorContent) else content.read(np.arange(n)).numpy()
    own_N1 = torch.arange(n)[:, None]
    if n == 1:
        return own_N1
    found_NK = nearest(vectors_ND, NEAR, device=str(device)).indices_NK.cpu()
    return torch.where(found_NK < 0, own_N1, found_NK)


def draw_partners(near_BK: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One of the near rows of each, (B,), on the CPU."""
    batch, k = near_BK.shape
    drawn_B = torch.randint(k, (batch,), generator=generator, device=generator.device)
    return near_BK.gather(1, drawn_B.cpu()[:, None]).squeeze(1)


def mix(raw_B: torch.Tensor, partners_B: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Rows (B, D) moved toward their partners, each by its own share of the way; float32."""
    share_B1 = FARTHEST * torch.rand((len(raw_B), 1), generator=generator, device=generator.device)
    return torch.lerp(raw_B.float(), partners_B.float(), share_B1.to(raw_B.device))
