"""Two-level preconditioner of conjugate gradient: the slow part of a solution comes from a small dense system.

Tang, Nabben, Vuik, Erlangga, "Comparison of two-level preconditioners derived from deflation, domain decomposition
and multigrid methods", J. Sci. Comput. 39, 2009: A-DEF2. With columns V (N, G) that span what conjugate gradient is
slow at, and Q = V (V^T A V)^-1 V^T: begin at Q b, and M^-1 r = r + Q (r - A r).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.functional.solve import Matmul, RowsOf

LOST = 1e-2  # of the inverse, at most, in the type of the solve


@dataclass(frozen=True, slots=True, eq=False)
class Deflation:
    """A-DEF2 for A = diagonal I - factor S and V with one entry a row.

    Row i of V holds `entry_N[i]` in column `cell_N[i]`. `merged` multiplies by S V, `both_t` by the transposes of S V
    and V, whose rows alternate.
    """

    cell_N: torch.Tensor  # int64
    entry_N: torch.Tensor
    factor: float
    diagonal: float
    merged: Matmul  # (G, C') -> (N, C')
    both_t: Matmul  # (N, C') -> (2 G, C')
    inverse_GG: torch.Tensor  # (V^T A V)^-1

    @property
    def dtype(self) -> torch.dtype:
        return self.inverse_GG.dtype

    def start(self, r_NC: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Q r, and r - A Q r."""
        coarse_GC = self._solved(self.both_t(r_NC)[1::2])
        gained_NC = self._spread(coarse_GC, slice(None))
        left_NC = torch.sub(r_NC, gained_NC, alpha=self.diagonal)
        return gained_NC, left_NC.add_(self.merged(coarse_GC), alpha=self.factor)

    def correction(self, r_NC: torch.Tensor) -> tuple[torch.Tensor, RowsOf]:
        """Of c = Q (r - A r): r . c of each column, and c."""
        both_t = self.both_t(r_NC)
        merged_GC, along_GC = both_t[::2], both_t[1::2]
        coarse_GC = self._solved(self.factor * merged_GC + (1 - self.diagonal) * along_GC)
        return (along_GC * coarse_GC).sum(dim=0), lambda rows: self._spread(coarse_GC, rows)

    def _solved(self, coarse_GC: torch.Tensor) -> torch.Tensor:
        """(V^T A V)^-1 times these columns."""
        return self.inverse_GG @ coarse_GC

    def _spread(self, coarse_GC: torch.Tensor, rows: slice) -> torch.Tensor:
        """V times these columns, in some rows."""
        return coarse_GC.index_select(0, self.cell_N[rows]).mul_(self.entry_N[rows, None])


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
