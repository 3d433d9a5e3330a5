"""Rows of the tables of *Label Propagation for Deep Semi-supervised Learning* (Iscen et al. 2019).

Stage 1 is 180 epochs over the labeled images, stage 2 as many over the unlabeled ones; Mean Teacher takes both at
once. All: SGD with Nesterov momentum, weight decay 2e-4, cosine over 210 epochs, the last epoch counts.

Departs from the released code: pixels are standardized by the statistics of the data at hand, not by the constants
of CIFAR-10; labels are diffused on the eval view. The paper's splits 10 to 19 are files of the released code; here
`--split` draws as many labels a class anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.methods.phases import Recipe
from labelprop.methods.settings import pick
from labelprop.training.recipes.diffused import dlp, network_prediction
from labelprop.training.recipes.labels import supervised
from labelprop.training.recipes.paper import Measure, PaperRow, Published, as_printed, with_first_share
from labelprop.training.recipes.teacher import mean_teacher, mt_dlp

EPOCHS = 180
IMAGES = 50_000
RECIPES = {"network-prediction": network_prediction, "dlp": dlp, "mean-teacher": mean_teacher, "mt+dlp": mt_dlp}
PRINTED = {
    "supervised": "Fully supervised",
    "network-prediction": "Network prediction",
    "dlp": "DLP",
    "mean-teacher": "MT",
    "mt+dlp": "MT + DLP",
}
Numbers = Mapping[str, Mapping[int, tuple[float, float]]]

PAPER = as_printed("dlp")
ABLATION: Mapping[str, tuple[dict[str, Any], str, tuple[float, float]]] = PAPER["ablation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """What all rows of a data set have in common."""

    data: str
    table: str
    network: str
    augment: str
    measure: Measure
    lr: float
    batch_size: int
    labeled_batch_size: int
    numbers: Numbers


ON_CIFAR10, ON_CIFAR100, ON_MINI_IMAGENET = (
    PaperSettings(**PAPER[name]) for name in ("cifar10", "cifar100", "mini_imagenet")
)
CIFAR10, CIFAR100, MINI_IMAGENET = ON_CIFAR10.numbers, ON_CIFAR100.numbers, ON_MINI_IMAGENET.numbers


def dlp_cifar10(method: str, labels: int) -> PaperRow:
    """A row of the CIFAR-10 table, 13-layer network; printed for 500, 1000, 2000 and 4000 labels.

    Raises UnknownNameError for a method that the table does not have, RequestError for a count of labels that
    leaves nothing to learn from.
    """
    return _row(ON_CIFAR10, method, labels)


def dlp_cifar100(method: str, labels: int) -> PaperRow:
    """A row of the CIFAR-100 columns, 13-layer network; printed for 4000 and 10000. Raises as `dlp_cifar10`."""
    return _row(ON_CIFAR100, method, labels)


def dlp_mini_imagenet(method: str, labels: int) -> PaperRow:
    """A row of the mini-ImageNet columns, ResNet-18 on 84-pixel images; printed for 4000 and 10000 labels.

    The measure is the top-5 error. Raises as `dlp_cifar10`.
    """
    return _row(ON_MINI_IMAGENET, method, labels)


def dlp_ablation(name: str) -> PaperRow:
    """A row of the ablation on CIFAR-10 with 500 labels: where labels come from, and which weights they have.

    Raises UnknownNameError for a name that is not in ABLATION.
    """
    changes, printed, (value, std) = pick("row of the DLP ablation", name, ABLATION)
    whole = _row(ON_CIFAR10, "network-prediction" if name == "network-prediction" else "dlp", 500, **changes)
    published = Published(table="DLP, ablation", value=value, std=std)
    return replace(whole, name=name, method=printed, published=published)


def _row(protocol: PaperSettings, method: str, labels: int, **changes: Any) -> PaperRow:
    numbers = pick(f"method of the table {protocol.table}", method, protocol.numbers)
    if not 0 < labels < IMAGES:
        raise RequestError(f"--labels {labels} must be above 0 and below the {IMAGES:,} training images.")
    printed = numbers.get(labels)
    return PaperRow(
        name=method,
        method=PRINTED[method],
        data=protocol.data,
        labels=labels,
        network=protocol.network,
        augment=protocol.augment,
        recipe=_recipe(protocol, method, labels, changes),
        epochs=EPOCHS,
        measure=protocol.measure,
        published=printed and Published(table=protocol.table, value=printed[0], std=printed[1]),
    )


def _recipe(protocol: PaperSettings, method: str, labels: int, changes: Mapping[str, Any]) -> Recipe:
    one_stream: dict[str, Any] = {"lr": protocol.lr, "batch_size": protocol.batch_size}
    if method == "supervised":
        return replace(supervised(**one_stream), pass_over="labeled")
    if method in ("dlp", "mt+dlp"):
        changes = {"preconditioner": None, **changes}  # the paper's twenty steps
    made = RECIPES[method](**one_stream, labeled_batch_size=protocol.labeled_batch_size, **changes)
    if method == "mean-teacher":
        return made
    if method == "mt+dlp":
        return with_first_share(made, 1.0)
    of_stage_1 = max(1, labels // protocol.batch_size)  # steps of an epoch, which passes over the labeled images
    of_stage_2 = (IMAGES - labels) // (protocol.batch_size - protocol.labeled_batch_size)
    return with_first_share(made, of_stage_1 / of_stage_2)
