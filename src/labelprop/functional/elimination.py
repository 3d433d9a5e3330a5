"""Mean values over a graph by elimination without subtraction: every entry right to rounding, whatever the weights.

Grassmann, Taksar, Heyman, "Regenerative Analysis and Steady State Distributions for Markov Chains", Operations
Research 1985. Weights of the rbf kernel span hundreds of powers of ten; a solver that stops at a residual then leaves
rows that hang on light edges anywhere, and cancellation in D - W forgets how a tight cluster is linked to the rest.
"""

from __future__ import annotations

import torch

PANEL = 64  # rows eliminated before all other rows are updated, in one product


@torch.no_grad()
def eliminate(weights_NN: torch.Tensor, leak_N: torch.Tensor, inflow_NC: torch.Tensor) -> torch.Tensor:
    """x (N, C) with (sum_j w_ij + leak_i) x_i = sum_j w_ij x_j + inflow_i; 0 in rows that lead nowhere.

    Symmetric weights (N, N) float64 of which the diagonal does not count, leaks (N,) and inflows (N, C): none
    negative. `weights_NN` is overwritten. 2 N^3 / 3 operations.
    """
    n = len(weights_NN)
    totals_N = torch.empty_like(leak_N)
    leak_N, x_NC = leak_N.clone(), inflow_NC.clone()
    panels = [(start, min(start + PANEL, n)) for start in range(0, n, PANEL)]
    for start, stop in panels:
        for row in range(start, stop):  # edges of the row are handed to its neighbors, in the panel first
            onward = weights_NN[row, row + 1 :]
            total = onward.sum() + leak_N[row]
            totals_N[row] = total = total if total > 0 else torch.ones_like(total)
            shares = weights_NN[row, row + 1 : stop] / total
            weights_NN[row + 1 : stop, row + 1 :] += shares[:, None] * onward
            leak_N[row + 1 : stop] += shares * leak_N[row]
            x_NC[row + 1 : stop] += shares[:, None] * x_NC[row]
        rows_PM = weights_NN[start:stop, stop:]
        shares_MP = (rows_PM / totals_N[start:stop, None]).T
        weights_NN[stop:, stop:].addmm_(shares_MP, rows_PM)
        leak_N[stop:] += shares_MP @ leak_N[start:stop]
        x_NC[stop:] += shares_MP @ x_NC[start:stop]
    for start, stop in reversed(panels):
        x_NC[start:stop] += weights_NN[start:stop, stop:] @ x_NC[stop:]
        for row in range(stop - 1, start - 1, -1):
            x_NC[row] = (x_NC[row] + weights_NN[row, row + 1 : stop] @ x_NC[row + 1 : stop]) / totals_N[row]
    return x_NC
