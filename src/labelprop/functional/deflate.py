"""Deflation of conjugate gradient: the slow part of a solution comes from a small dense system.

Tang, Nabben, Vuik, Erlangga, "Comparison of two-level preconditioners derived from deflation, domain decomposition
and multigrid methods", J. Sci. Comput. 39, 2009, section 2.3.2. With columns V (N, G) that span what conjugate
gradient is slow at, it solves P A x = P b, P = I - A V (V^T A V)^-1 V^T; what x lacks then is V (V^T A V)^-1 V^T
(b - A x). The iterates are those of their A-DEF2 from V (V^T A V)^-1 V^T b, but a step has a product with A V, whose
operand stays in the cache, in place of one with its transpose. Departs from the textbook: P is applied to the
residual as well, so that roundings do not add up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from labelprop.functional.steps import Matmul, RowsOf

LOST = 1e-2  # of the inverse, at most, in the type of the solve


@dataclass(frozen=True, slots=True, eq=False)
class Deflation:
    """That of A = diagonal I - factor S by V; see `steps.Preconditioner`.

    Where A is singular, and where its null vectors are to be projected off anyway, it is that of A + N N^T, N = V Y
    the null vectors of length 1, which lie in the span of V.
    """

    along: Matmul  # V^T: (N, C') -> (G, C')
    spread: Callable[[torch.Tensor], RowsOf]  # [V, S V]: (2 G, C') -> (N, C')
    factor: float
    diagonal: float
    inverse_GG: torch.Tensor  # (V^T A V + Y Y^T)^-1
    squares: Matmul | None = None  # Y Y^T: (G, C') -> (G, C')

    @property
    def dtype(self) -> torch.dtype:
        return self.inverse_GG.dtype

    def inside(self, x_NC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        along_GC = self.along(x_NC)
        return along_GC, self.inverse_GG @ along_GC

    def image(self, coarse_GC: torch.Tensor) -> RowsOf:
        own_GC = coarse_GC * self.diagonal
        if self.squares is not None:
            own_GC += self.squares(coarse_GC)
        return self.spread(torch.cat([own_GC, coarse_GC * -self.factor]))

    def outside(self, coarse_GC: torch.Tensor) -> RowsOf:
        return self.spread(torch.cat([coarse_GC, torch.zeros_like(coarse_GC)]))


def coarse_inverse(coarse_GG: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    """The inverse of a symmetric matrix in float64; None where it is not positive definite to rounding.

    In `dtype` where the loss of digits there is below a hundredth. Of V^T A V with A singular: add y y^T first, y =
    V^T n for each null vector n of length 1. Where V spans n, right sides without n are then left without it.
    """
    size = float(torch.linalg.matrix_norm(coarse_GG, 1))
    factor_GG, failed = torch.linalg.cholesky_ex(coarse_GG)
    if int(failed) or not bool(torch.isfinite(factor_GG).all()):
        return None
    inverse_GG = torch.cholesky_inverse(factor_GG)
    condition = size * float(torch.linalg.matrix_norm(inverse_GG, 1))
    return inverse_GG.to(dtype) if condition * torch.finfo(dtype).eps < LOST else inverse_GG
