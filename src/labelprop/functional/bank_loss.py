"""Losses against a memory bank of N unit vectors, without ever holding the B x N numbers with their gradients.

P(j | v) = exp(v . v_j / temperature) / Z. Vectors and bank are float32 at least, of one type. Shapes: B batch, N
rows of the bank, D dimensions, K nearest, H clusterings, M noise draws.
"""

from __future__ import annotations

from typing import Any

import torch

from labelprop.functional.largest import kth_largest

EPSILON = 1e-7  # of the released code of Local Aggregation and Local Label Propagation, inside the logarithm
BLOCK = {"cpu": 1 << 21, "cuda": 1 << 27}  # similarities held at once


def instance_loss(
    vectors_BD: torch.Tensor, bank_ND: torch.Tensor, own_B: torch.Tensor, temperature: float
) -> torch.Tensor:
    """-log P(own | v) over all N (B,): instance recognition with the full softmax (Wu et al. 2018, Eq. 2)."""
    own_B = (vectors_BD * bank_ND[own_B]).sum(dim=1) / temperature
    return log_mass(vectors_BD, bank_ND, temperature) - own_B


def same_label_loss(
    vectors_BD: torch.Tensor,
    bank_ND: torch.Tensor,
    label_N: torch.Tensor,
    label_B: torch.Tensor,
    temperature: float,
    epsilon: float = EPSILON,
) -> torch.Tensor:
    """L_A = -log(sum over j with label_j = label_i of P(j | v_i) + epsilon), (B,) (Zhuang et al. 2019, Eq. 2).

    Normalized over all N rows, without noise-contrastive estimation.
    """
    same_B, all_B = _masses(vectors_BD, bank_ND, label_N, label_B, temperature)
    return -((same_B - all_B).exp() + epsilon).log()


def neighborhood_loss(
    vectors_BD: torch.Tensor,
    bank_ND: torch.Tensor,
    own_B: torch.Tensor,
    clusters_HN: torch.Tensor,
    k: int,
    temperature: float,
    epsilon: float = EPSILON,
) -> torch.Tensor:
    """Local aggregation (Zhuang, Zhai, Yamins 2019, Eq. 2): -log(sum_C P / sum_B P + epsilon), (B,).

    B are the k rows of the bank nearest to v (with those that tie with the last, where all are looked at at once),
    its own among them: where it is not, it takes the place of the last. C are those of B that share v's cluster in
    any of the H clusterings.
    """
    neighborhoods = _among_all if len(bank_ND) <= _rows_at_once(vectors_BD) else _among_gathered
    cosines, close = neighborhoods(vectors_BD, bank_ND, own_B, clusters_HN, min(k, len(bank_ND)))
    share_B = (cosines / temperature).softmax(dim=1).mul(close).sum(dim=1)
    return -(share_B + epsilon).log()


def _among_all(
    vectors_BD: torch.Tensor, bank_ND: torch.Tensor, own_B: torch.Tensor, clusters_HN: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines to all rows, -inf outside of B, and which share a cluster: (B, N) each. Nothing is sorted."""
    cosines_BN = vectors_BD @ bank_ND.T
    with torch.no_grad():
        own_B1, cluster_HN = own_B[:, None], clusters_HN.to(torch.int32)  # half the traffic
        least_B1 = kth_largest(cosines_BN, k)[:, None]
        outside_B1 = cosines_BN.gather(1, own_B1) < least_B1
        far_BN = torch.where(outside_B1, cosines_BN <= least_B1, cosines_BN < least_B1).scatter_(1, own_B1, False)
        close_BN = torch.zeros_like(far_BN)
        for cluster_N in cluster_HN:
            close_BN |= cluster_N == cluster_N[own_B1]
    return torch.where(far_BN, -torch.inf, cosines_BN), close_BN


def _among_gathered(
    vectors_BD: torch.Tensor, bank_ND: torch.Tensor, own_B: torch.Tensor, clusters_HN: torch.Tensor, k: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines to the rows in B, and which share a cluster: (B, K) each. For a bank far larger than K."""
    with torch.no_grad():
        near_BK = _nearest(vectors_BD, bank_ND, k)
        missing_B = ~(near_BK == own_B[:, None]).any(dim=1)
        near_BK[missing_B, -1] = own_B[missing_B]
        close_BK = (clusters_HN[:, near_BK] == clusters_HN[:, own_B][:, :, None]).any(dim=0)
    return torch.einsum("bd,bkd->bk", vectors_BD, bank_ND[near_BK]), close_BK


def noise_contrastive_loss(
    vectors_BD: torch.Tensor,
    bank_ND: torch.Tensor,
    own_B: torch.Tensor,
    noise_BM: torch.Tensor,
    normalizer: torch.Tensor,
    temperature: float,
    epsilon: float = EPSILON,
) -> torch.Tensor:
    """Noise-contrastive estimate of the instance loss (B,), noise uniform over the N rows (Wu et al. 2018, Eq. 5-7).

    With P = exp(v . v_j / temperature) / `normalizer` and h = P / (P + M / N): -log h(own) - sum over the M draws of
    log(1 - h). Summed over the noise, as in the released code.
    """
    share = noise_BM.shape[1] / len(bank_ND)
    own_P = ((vectors_BD * bank_ND[own_B]).sum(dim=1) / temperature).exp() / normalizer
    noise_P = (torch.einsum("bd,bmd->bm", vectors_BD, bank_ND[noise_BM]) / temperature).exp() / normalizer
    data_B = (own_P / (own_P + share + epsilon)).log()
    noise_B = (share / (noise_P + share + epsilon)).log().sum(dim=1)
    return -(data_B + noise_B)


def log_mass(vectors_BD: torch.Tensor, bank_ND: torch.Tensor, temperature: float) -> torch.Tensor:
    """log sum_j exp(v . v_j / temperature) over all rows of the bank (B,)."""
    one_N = torch.zeros(len(bank_ND), dtype=torch.int64, device=bank_ND.device)
    _, all_B = _masses(vectors_BD, bank_ND, one_N, one_N[:1] - 1, temperature)
    return all_B


def _nearest(vectors_BD: torch.Tensor, bank_ND: torch.Tensor, k: int) -> torch.Tensor:
    """Places of the k largest inner products (B, k), some rows of the bank at a time."""
    step = max(k, _rows_at_once(vectors_BD))
    values_BK = vectors_BD.new_empty(len(vectors_BD), 0)
    places_BK = torch.empty(len(vectors_BD), 0, dtype=torch.int64, device=bank_ND.device)
    for start in range(0, len(bank_ND), step):
        found_BR = vectors_BD @ bank_ND[start : start + step].T
        here = torch.arange(start, start + found_BR.shape[1], device=bank_ND.device).expand_as(found_BR)
        values_BW, places_BW = torch.cat([values_BK, found_BR], 1), torch.cat([places_BK, here], 1)
        values_BK, kept_BK = values_BW.topk(min(k, values_BW.shape[1]), dim=1)
        places_BK = places_BW.gather(1, kept_BK)
    return places_BK


def _rows_at_once(vectors_BD: torch.Tensor) -> int:
    held = BLOCK.get(vectors_BD.device.type, BLOCK["cpu"])
    return max(1, held // max(1, len(vectors_BD)))


def _masses(
    vectors_BD: torch.Tensor, bank_ND: torch.Tensor, label_N: torch.Tensor, label_B: torch.Tensor, temperature: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """log of sum exp(v . v_j / temperature) over rows of v's label, and over all rows; (B,) each, differentiable."""
    apply: Any = _Masses.apply
    same_B, all_B = apply(vectors_BD, bank_ND, label_N, label_B, temperature)
    return same_B, all_B


class _Masses(torch.autograd.Function):
    """Both sums and their gradients in one pass over blocks of the bank.

    d log S / dv = (1 / temperature) sum_j e_j v_j / S, so that the weighted sums of bank rows, (B, D) each, are all
    that backward needs. Exponents are taken less the row's largest so far, and sums are scaled when it grows.
    """

    @staticmethod
    def forward(
        ctx: Any,
        vectors_BD: torch.Tensor,
        bank_ND: torch.Tensor,
        label_N: torch.Tensor,
        label_B: torch.Tensor,
        temperature: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        n_rows = len(vectors_BD)
        peak_B1 = vectors_BD.new_full((n_rows, 1), -torch.inf)
        sums_2B1 = vectors_BD.new_zeros(2, n_rows, 1)  # of the same label, of all
        moments_2BD = vectors_BD.new_zeros(2, *vectors_BD.shape)
        step = _rows_at_once(vectors_BD)
        for start in range(0, len(bank_ND), step):
            block_RD, label_R = bank_ND[start : start + step], label_N[start : start + step]
            exponents_BR = (vectors_BD @ block_RD.T).div_(temperature)
            higher_B1 = torch.maximum(peak_B1, exponents_BR.amax(dim=1, keepdim=True))
            shrink_B1 = (peak_B1 - higher_B1).exp()
            peak_B1 = higher_B1
            mass_BR = exponents_BR.sub_(peak_B1).exp_()
            same_BR = mass_BR * (label_R == label_B[:, None])
            for part, mass in enumerate((same_BR, mass_BR)):
                sums_2B1[part] = sums_2B1[part] * shrink_B1 + mass.sum(dim=1, keepdim=True)
                moments_2BD[part] = moments_2BD[part] * shrink_B1 + mass @ block_RD
        ctx.save_for_backward(moments_2BD / sums_2B1.clamp_min(torch.finfo(sums_2B1.dtype).tiny))
        ctx.temperature = temperature
        same_B, all_B = (sums_2B1.log() + peak_B1).squeeze(2)
        return same_B, all_B

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (means_2BD,) = ctx.saved_tensors
        same_B, all_B = grads
        grad_BD = (same_B[:, None] * means_2BD[0] + all_B[:, None] * means_2BD[1]) / ctx.temperature
        return grad_BD, None, None, None, None
