"""Instance recognition: every example is a class of its own (Wu, Xiong, Yu, Lin 2018, "NPID").

No label trains the network: labels only vote, by the embeddings of their examples, in what is deployed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from labelprop.core.types import Batch, Progress, Task
from labelprop.functional.bank_loss import instance_loss, noise_contrastive_loss
from labelprop.methods.base import LossTerms, Net, Outputs
from labelprop.methods.embedder import Embedder
from labelprop.propagators.estimator.parameters import Count, Positive


@dataclass(eq=False, repr=False, kw_only=True)
class Instance(Embedder):
    """-log P(i | v_i) over the bank, or its noise-contrastive estimate.

    Parameters
    ----------
    noise : draws of noise-contrastive estimation; None for the full softmax, which needs no estimate.
    normalizer : its Z as a multiple of N, 2.2456 in the released code of LA and LLP; None for an estimate from the
        first batch, as in that of Wu et al.
    """

    noise: Count | None = None
    normalizer: Positive | None = None

    constant: torch.Tensor = field(init=False)  # Z; 0 until it is known

    def setup(self, net: nn.Module, task: Task) -> None:
        super().setup(net, task)
        self.register_buffer("constant", self.bank.vectors_ND.new_tensor((self.normalizer or 0) * task.n))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        vectors_BD, own_B = self.vectors(net(batch.joint.views_V[0])), batch.joint.indices_B
        outputs = {"embedding": vectors_BD.detach()}
        if self.noise is None:
            losses_B = instance_loss(vectors_BD, self.bank.vectors_ND, own_B, self.temperature)
        else:
            bank_ND = self.bank.vectors_ND
            noise_BM = torch.randint(len(bank_ND), (len(own_B), self.noise), device=own_B.device)
            outputs["constant"] = self._constant(vectors_BD.detach(), noise_BM)
            losses_B = noise_contrastive_loss(
                vectors_BD, bank_ND, own_B, noise_BM, outputs["constant"], self.temperature
            )
        return LossTerms({"instance": losses_B.mean()}, {"instance": 1.0}, outputs)

    def _constant(self, vectors_BD: torch.Tensor, noise_BM: torch.Tensor) -> torch.Tensor:
        """Z, held at N times the mean of exp(v . v_j / temperature) over the first batch's noise (lemniscate)."""
        sampled_BMD = self.bank.vectors_ND[noise_BM]
        mean = (torch.einsum("bd,bmd->bm", vectors_BD, sampled_BMD) / self.temperature).exp().mean()
        return torch.where(self.constant > 0, self.constant, mean * len(self.bank.vectors_ND))

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        super().after_step(net, batch, outputs, progress)
        if "constant" in outputs:
            self.constant.copy_(outputs["constant"])
