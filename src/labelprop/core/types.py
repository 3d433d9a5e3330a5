"""Value objects that travel between the stages.

Shape legend, used as suffixes of names throughout:
N examples, L labeled, U unlabeled, C classes, D dimensions of an embedding, K neighbors, B batch, V views.

Unlabeled is -1 everywhere. No object here has a field in which the truth of an unlabeled example could travel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

UNLABELED: Final = -1


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The K nearest rows of each of N queries, best first, ties broken by the lower index.

    Where fewer than K exist the remaining places hold index -1 and similarity -inf.
    `recall` is the measured share of the true K nearest that were found (exact search: 1.0).
    """

    indices_NK: torch.Tensor  # int64
    similarities_NK: torch.Tensor  # float32 or float64
    recall: float
    order_N: torch.Tensor | None = None  # the queries in an order that has similar ones together, where known


@dataclass(frozen=True, slots=True, eq=False)
class Propagation:
    """Labels for all N rows as a propagator found them, with its verdict."""

    scores_NC: torch.Tensor
    distributions_NC: torch.Tensor  # rows sum to 1; unreached rows uniform
    labels_N: torch.Tensor  # int64; seeds keep theirs; -1 where unreached
    certainty_N: torch.Tensor  # [0, 1]; 1 on seeds, 0 where unreached
    reached_N: torch.Tensor  # bool
    class_weight_C: torch.Tensor  # (reached rows / C) / rows of the class; 0 where the class has none
    steps: int
    residual: float
    converged: bool


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """All that training knows of the labels: numbers of examples and classes, and the given labels."""

    labels_N: torch.Tensor  # int64, -1 where unlabeled
    weights_N: torch.Tensor  # float32, the trust in a given label
    n_classes: int
    seed: int

    @property
    def n(self) -> int:
        return int(self.labels_N.shape[0])

    @property
    def labeled_L(self) -> torch.Tensor:
        return (self.labels_N >= 0).nonzero().squeeze(1)

    @property
    def unlabeled_U(self) -> torch.Tensor:
        return (self.labels_N < 0).nonzero().squeeze(1)


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One stream of a batch: how many examples a step, and which views of each ('weak', 'strong', 'eval')."""

    size: int
    views: tuple[str, ...] = ("weak",)


@dataclass(frozen=True, slots=True)
class BatchSpec:
    """The streams that a method takes in every step. A stream of size 0 is left out."""

    labeled: StreamSpec
    unlabeled: StreamSpec = StreamSpec(0)

    @property
    def passes(self) -> int:
        """Examples that pass the network in a step, each as often as it is viewed."""
        return sum(stream.size * len(stream.views) for stream in (self.labeled, self.unlabeled))

    @property
    def compares_views(self) -> bool:
        """Whether an example is viewed more than once in a step."""
        return any(stream.size > 0 and len(stream.views) > 1 for stream in (self.labeled, self.unlabeled))


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Examples of one stream: their dataset indices and one tensor a view, ready for the network."""

    indices_B: torch.Tensor
    views_V: tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One step's examples.

    `joint` is both streams in one tensor a view, labeled examples first, for the views that both have:
    methods that train on all examples alike make one forward pass over it.
    """

    labeled: Stream
    labels_B: torch.Tensor  # int64, the given labels of the labeled stream
    trust_B: torch.Tensor  # float32, the trust in each of them
    unlabeled: Stream | None
    joint: Stream


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands inside its phase, counted in steps already finished."""

    step: int
    total_steps: int
    epoch: int
    steps_per_epoch: int

    @property
    def fraction(self) -> float:
        return self.step / self.total_steps if self.total_steps else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class PseudoLabels:
    """A method's current labels for all N rows; `weight` is what each counts for in the loss."""

    labels_N: torch.Tensor
    certainty_N: torch.Tensor
    weight_N: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """The state of training that a monitor measures, by dataset index; parts that were not computed are None."""

    pseudo_labels: PseudoLabels | None = None
    outputs: Mapping[str, torch.Tensor] | None = None  # heads and feature on the eval view, (N, .) each
    embeddings: torch.Tensor | None = None  # unit vectors (N, D): the method's bank, or the features of a pass made
    step: int = 0  # steps done, over all phases
    wanted: bool = False  # whether the monitor asked for the outputs of this moment
