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
from labelprop.training.recipes.paper import Measure, PaperRow, Published, with_first_share
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

CIFAR10: Numbers = {
    "supervised": {500: (49.08, 0.83), 1000: (40.03, 1.11), 2000: (29.58, 0.93), 4000: (21.63, 0.38)},
    "network-prediction": {500: (35.17, 2.46), 1000: (23.79, 1.31), 2000: (16.64, 0.48), 4000: (13.21, 0.61)},
    "dlp": {500: (32.40, 1.80), 1000: (22.02, 0.88), 2000: (15.66, 0.35), 4000: (12.69, 0.29)},
    "mean-teacher": {500: (27.45, 2.64), 1000: (19.04, 0.51), 2000: (14.35, 0.31), 4000: (11.41, 0.25)},
    "mt+dlp": {500: (24.02, 2.44), 1000: (16.93, 0.70), 2000: (13.22, 0.29), 4000: (10.61, 0.28)},
}
CIFAR100: Numbers = {
    "supervised": {4000: (55.43, 0.11), 10000: (40.67, 0.49)},
    "dlp": {4000: (46.20, 0.76), 10000: (38.43, 1.88)},
    "mean-teacher": {4000: (45.36, 0.49), 10000: (36.08, 0.51)},
    "mt+dlp": {4000: (43.73, 0.20), 10000: (35.92, 0.47)},
}
MINI_IMAGENET: Numbers = {
    "supervised": {4000: (53.07, 0.68), 10000: (38.28, 0.38)},
    "dlp": {4000: (47.58, 0.94), 10000: (36.14, 2.19)},
    "mean-teacher": {4000: (49.35, 0.22), 10000: (32.51, 1.31)},
    "mt+dlp": {4000: (50.52, 0.39), 10000: (31.99, 0.55)},
}
ABLATION: Mapping[str, tuple[dict[str, Any], str, tuple[float, float]]] = {
    "dlp-unweighted": ({"certainty": False, "class_balance": False}, "diffusion, no weights", (36.53, 1.42)),
    "dlp-class-balance": ({"certainty": False}, "diffusion, class weights ζ", (36.17, 1.98)),
    "dlp-certainty": ({"class_balance": False}, "diffusion, certainty ω", (33.32, 1.53)),
    "dlp": ({}, "diffusion, ω and ζ", (32.40, 1.80)),
    "network-prediction": ({}, "network, ω and ζ", (35.17, 2.46)),
}


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


ON_CIFAR10 = PaperSettings(
    data="cifar10",
    table="DLP, CIFAR-10",
    network="conv13(weight_norm=true)",
    augment="shift+flip",
    measure="top-1 error",
    lr=0.05,
    batch_size=100,
    labeled_batch_size=50,
    numbers=CIFAR10,
)
ON_CIFAR100 = replace(
    ON_CIFAR10,
    data="cifar100",
    table="DLP, CIFAR-100",
    lr=0.2,
    batch_size=128,
    labeled_batch_size=31,
    numbers=CIFAR100,
)
ON_MINI_IMAGENET = replace(
    ON_CIFAR100,
    data="mini_imagenet",
    table="DLP, mini-ImageNet",
    network="resnet18",
    augment="rotate+crop+flip",
    measure="top-5 error",
    numbers=MINI_IMAGENET,
)


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
    made = RECIPES[method](**one_stream, labeled_batch_size=protocol.labeled_batch_size, **changes)
    if method == "mean-teacher":
        return made
    if method == "mt+dlp":
        return with_first_share(made, 1.0)
    of_stage_1 = max(1, labels // protocol.batch_size)  # steps of an epoch, which passes over the labeled images
    of_stage_2 = (IMAGES - labels) // (protocol.batch_size - protocol.labeled_batch_size)
    return with_first_share(made, of_stage_1 / of_stage_2)
