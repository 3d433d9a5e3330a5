"""Local Label Propagation: labels by a vote of near labeled rows at every step (Zhuang, Ding, Murli, Yamins 2019).

L(x_i) = c_i [ CE(g(x_i), y_i) + L_A(v_i) ], L_A = -log(sum over j with y_j = y_i of P(j | v_i)), mean over the
batch; y and c are the labels and confidences kept for all N, as they were before the step. An example that was
never labeled has a label of its own, C + i: L_A is then instance recognition, and its cross-entropy is left out.
After the step the batch's examples get new labels and confidences from the vote of the labeled rows of the bank, as
it was before the step, with the step's own embeddings; then the bank is written.

Departs from the paper: labeled rows have their label from the start rather than from their first visit, and a bank
that no earlier phase trained starts from the network's embeddings. The released code never calls its vote and labels
by the class head: `label_source="head"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, Progress, PseudoLabels, StreamSpec, Task
from labelprop.functional.bank_loss import same_label_loss
from labelprop.functional.vote import vote_shares
from labelprop.graph.seeds import Seeds
from labelprop.methods.base import LossTerms, Net, Outputs, Tools
from labelprop.methods.diffused import diffused
from labelprop.methods.embedder import Embedder
from labelprop.methods.state import last_of
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator.parameters import Count, OneOf, check_parameters, rules_of
from labelprop.propagators.local_propagation import Density, LocalPropagation, Pool, local_bias, log_ratio
from labelprop.propagators.votes.voters import SeededRows

FoundLabels = tuple[torch.Tensor, torch.Tensor]  # labels and confidences


def by_vote(method: LocalLabels, outputs: Outputs) -> FoundLabels:
    """The vote of the labeled rows of the bank, weighted against density: the paper's."""
    shares_BC = vote_shares(
        outputs["embedding"],
        method.bank.vectors_ND[method.labeled_L],
        method.labels_L,
        method.n_classes,
        n_neighbors=method.n_voters,
        temperature=method.temperature,
        log_weight_M=method.log_weight_L,
    )
    return shares_BC.argmax(dim=1), shares_BC.amax(dim=1)


def by_head(method: LocalLabels, outputs: Outputs) -> FoundLabels:
    """The class head's own prediction: what the released code does."""
    shares_BC = outputs["class"].softmax(dim=1)
    return shares_BC.argmax(dim=1), shares_BC.amax(dim=1)


Labeler = Callable[["LocalLabels", Outputs], FoundLabels]
STEPWISE: Mapping[str, Labeler] = {"vote": by_vote, "head": by_head}
LABEL_SOURCES = (*STEPWISE, "diffusion")


@dataclass(eq=False, repr=False, kw_only=True)
class LocalLabels(Embedder):
    """Aggregation and cross-entropy on labels that labeled neighbors vote on.

    Parameters
    ----------
    labeled_batch_size : how many examples of a step are labeled ones; 0 (the paper) draws from all alike.
    n_neighbors, n_density, density, pool : of the vote, as for `LocalPropagation`; density=None is the ablation NoDW,
        "ratio" the ablation P^R with the class counts of the label table.
    confidence : False counts every label fully (the ablation NoC).
    classification : False trains the embedding alone; the deployed model then votes.
    label_source : "vote"; "head", the class head's prediction; "diffusion", `Diffusion` over the bank before each
        epoch.
    propagation : parameters of that `Diffusion`; None for its defaults.
    """

    labeled_batch_size: int = 0
    n_neighbors: Count = LocalPropagation.n_neighbors
    n_density: Count = LocalPropagation.n_density
    density: Density | None = LocalPropagation.density
    pool: Pool = LocalPropagation.pool
    confidence: bool = True
    classification: bool = True
    label_source: Annotated[str, OneOf(LABEL_SOURCES)] = "vote"
    propagation: Mapping[str, Any] | None = None
    n_voters: int = field(init=False)

    given_N: torch.Tensor = field(init=False)
    label_N: torch.Tensor = field(init=False)
    confidence_N: torch.Tensor = field(init=False)
    trust_N: torch.Tensor = field(init=False)
    log_weight_L: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_parameters("diffused labels", self.propagation or {}, rules_of(Diffusion))
        self.n_voters = self.n_neighbors
        if self.label_source == "head" and not self.classification:
            raise RequestError("label_source='head' needs the class head: leave classification on.")
        labeled, size = self.labeled_batch_size, self.batch_size
        if not 0 <= labeled < size:
            raise RequestError(
                f"labeled_batch_size={labeled} must be at least 0 and below batch_size={size}; set both."
            )
        self.needs = BatchSpec(StreamSpec(labeled), StreamSpec(size - labeled))
        if self.classification:
            self.heads = {"class": None, **self.heads}

    def setup(self, net: nn.Module, task: Task) -> None:
        super().setup(net, task)
        device = self.labels_L.device
        given_N = task.labels_N.to(device)
        own_N = task.n_classes + torch.arange(task.n, device=device)
        self.register_buffer("given_N", given_N.clone())
        self.register_buffer("trust_N", task.weights_N.to(device).clone())
        self.register_buffer("label_N", torch.where(given_N >= 0, given_N, own_N))
        self.register_buffer("confidence_N", torch.where(given_N >= 0, self.trust_N, torch.ones_like(self.trust_N)))
        self.register_buffer("log_weight_L", torch.zeros_like(self.voters_LD[:, 0]))

    def loss(self, net: Net, batch: Batch, progress: Progress) -> LossTerms:
        found, rows_B = net(batch.joint.views_V[0]), batch.joint.indices_B
        label_B, vectors_BD = self.label_N[rows_B], self.vectors(found)
        counted_B = self.confidence_N[rows_B].to(vectors_BD.dtype)
        losses_B = same_label_loss(vectors_BD, self.bank.vectors_ND, self.label_N, label_B, self.temperature)
        terms = {"aggregation": (counted_B * losses_B).mean()}
        if self.classification:
            known_B = label_B < self.n_classes
            losses_B = F.cross_entropy(found["class"], label_B.where(known_B, 0), reduction="none")
            terms["class"] = (counted_B * losses_B * known_B).mean()
        outputs = {name: found[name].detach() for name in self.heads} | {"embedding": vectors_BD.detach()}
        return LossTerms(terms, dict.fromkeys(terms, 1.0), outputs)

    def after_step(self, net: nn.Module, batch: Batch, outputs: Outputs, progress: Progress) -> None:
        if self.label_source in STEPWISE:
            rows_B = batch.joint.indices_B
            label_B, confidence_B = STEPWISE[self.label_source](self, outputs)
            self._keep(rows_B, label_B, confidence_B)
        super().after_step(net, batch, outputs, progress)

    def refresh(self, net: nn.Module, tools: Tools, epoch: int) -> None:
        """Densities of the labeled rows from the bank, for the vote; all labels, where they come from diffusion."""
        self.fill_bank(tools, epoch)
        seeds = Seeds.hard(self.given_N, self.n_classes, self.trust_N)
        if self.label_source == "vote":
            seeded = SeededRows.whole(self.bank.vectors_ND, seeds, self.labels_L.device)
            bias_L = self._bias(seeded.shared_out(tools.group))
            log_trust_L = self.trust_L.log()
            self.log_weight_L.copy_(log_trust_L if bias_L is None else log_trust_L + bias_L)
        if self.label_source == "diffusion":
            found = diffused(self.bank.vectors_ND, seeds, tools, **self.propagation or {})
            reached = found.reached_N.nonzero().squeeze(1)
            self._keep(reached, found.labels_N[reached], found.certainty_N[reached])
        if not self.classification:
            super().refresh(net, tools, epoch)

    def _bias(self, seeded: SeededRows) -> torch.Tensor | None:
        if self.density == "ratio":
            open_N = (self.given_N < 0) & (self.label_N < self.n_classes)
            return log_ratio(seeded.seeds, torch.bincount(self.label_N[open_N], minlength=self.n_classes).double())
        voting: dict[str, Any] = {"n_neighbors": self.n_voters, "temperature": self.temperature}
        where: dict[str, Any] = {"search": "auto", "seed": 0}
        return local_bias(seeded, density=self.density, pool=self.pool, n_density=self.n_density, **voting, **where)

    def _keep(self, rows_B: torch.Tensor, label_B: torch.Tensor, confidence_B: torch.Tensor) -> None:
        """Writes labels and confidences of these rows (of a repeated row the last); given labels stay."""
        rows_R, last_R = last_of(rows_B)
        open_R = self.given_N[rows_R] < 0
        rows_U, last_U = rows_R[open_R], last_R[open_R]
        self.label_N[rows_U] = label_B[last_U]
        if self.confidence:
            self.confidence_N[rows_U] = confidence_B[last_U].to(self.confidence_N.dtype)

    def deployed(self, net: nn.Module) -> nn.Module:
        return net if self.classification else super().deployed(net)

    def pseudo_labels(self) -> PseudoLabels:
        known_N = self.label_N < self.n_classes
        certainty_N = torch.where(self.given_N >= 0, 1.0, self.confidence_N) * known_N
        return PseudoLabels(self.label_N.where(known_N, -1), certainty_N, self.confidence_N * known_N)
