"""Rows of the tables of *Local Label Propagation* (Zhuang, Ding, Murli, Yamins 2019) on ImageNet.

p percent of the labels (13 p images a class), q percent of all images, labeled ones included; pre-activation
ResNet-18 and -50; an epoch of LLP passes over all images. LLP: 10 epochs of instance recognition at 0.03, then drops
where the released code has them (its counter includes those 10 epochs), then 10 epochs more, which the paper leaves
open. Where no drops are known (ResNet-50, p = 3 and 5) the rate drops on a plateau of the training loss within 400
epochs, the most the paper names. A rate jump is 200 epochs at 0.003 with two drops; the paper's fine-tuning "FT" is
the same. Where q is below 100 the drops are those of q = 100.

Mean Teacher has no settings for ImageNet in this paper: those of its own code (10 GPUs with 40 images each) are taken
with these networks. "Supervised" is that of S4L (Zhai et al. 2019), whose settings for 10% serve p = 3 and 5 too;
its colour noise at 1% is the one that all rows here have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.functional.schedule import Schedule, cosine, plateau, step, warm_up
from labelprop.methods.instance import Instance
from labelprop.methods.phases import Recipe
from labelprop.methods.settings import Settings, pick
from labelprop.training.recipes.embedding import llp
from labelprop.training.recipes.labels import supervised
from labelprop.training.recipes.paper import PaperRow, Published, as_printed
from labelprop.training.recipes.rate_jump import with_rate_jump
from labelprop.training.recipes.teacher import mean_teacher

NETWORKS = {"resnet18": "preact_resnet18(stem=imagenet)", "resnet50": "preact_resnet50(stem=imagenet)"}
PRINTED = {"supervised": "Supervised", "mean-teacher": "MT", "llp": "LLP", "llp+rj": "LLP + RJ"}
PERCENTS = (1, 3, 5, 10)
UNLABELED_PERCENTS = (30, 70, 100)
AUGMENT = "crop+color+flip"

INSTANCE_EPOCHS = 10
AFTER_LAST_DROP = 10
LONGEST = 400
JUMP_EPOCHS = 200
NOISE = 4096  # draws of noise-contrastive estimation in the instance phase

SETTINGS = {"start": "instances", "labeled_batch_size": 0, "lr": 0.03, "weight_decay": 1e-4}

TEACHER_EPOCHS = 60

PAPER = as_printed("llp")
NUMBERS: Mapping[str, Mapping[str, Mapping[int, float]]] = PAPER["numbers"]
ABLATION: Mapping[str, tuple[str, dict[str, Any], Mapping[str, float]]] = {  # as printed, settings, by network
    "llp-top50": ("Top50", {"n_neighbors": 50}, {"resnet18": 61.07}),
    "llp-top20": ("Top20", {"n_neighbors": 20}, {"resnet18": 61.48}),
    "llp-top5": ("Top5", {"n_neighbors": 5}, {"resnet18": 60.90}),
    "llp-noc": ("NoC", {"confidence": False}, {"resnet18": 55.88, "resnet50": 64.01}),
    "llp-nodw": ("NoDW", {"density": None}, {"resnet18": 58.41, "resnet50": 66.41}),
    "llp-ratio": ("ratio P^R", {"density": "ratio"}, {"resnet18": 59.4}),
    "llp": ("LLP", {}, {"resnet18": 61.51, "resnet50": 68.90}),
}


def llp_imagenet(
    method: str, network: str, percent: int, unlabeled_percent: int = 100, *, noise: int | None = NOISE
) -> PaperRow:
    """A row of Tables 1, 2 and 3: the validation images' top-1 (ResNet-18) or top-5 (ResNet-50) accuracy.

    `percent` is p, `unlabeled_percent` the paper's q; `noise` the draws of noise-contrastive estimation in the
    instance phase, None for the full softmax.

    Raises UnknownNameError for another method or network, RequestError for other percents.
    """
    pick("method of the LLP tables", method, NUMBERS)
    trunk = pick("network of the LLP tables", network, NETWORKS)
    shares = {"--percent": (percent, PERCENTS), "--unlabeled-percent": (unlabeled_percent, UNLABELED_PERCENTS)}
    for flag, (value, known) in shares.items():
        if value not in known:
            raise RequestError(f"{flag} {value} is none of the paper's: {', '.join(map(str, known))}.")
    recipe, epochs = _recipe(method, network, percent, noise)
    return PaperRow(
        name=method,
        method=PRINTED[method],
        data="imagenet",
        percent=percent,
        unlabeled_percent=unlabeled_percent,
        network=trunk,
        augment=AUGMENT,
        recipe=recipe,
        epochs=epochs,
        measure="top-1 accuracy" if network == "resnet18" else "top-5 accuracy",
        published=_published(method, network, percent, unlabeled_percent),
    )


def _published(method: str, network: str, percent: int, unlabeled_percent: int) -> Published | None:
    if unlabeled_percent == 100:
        table, value = "Table 1" if network == "resnet18" else "Table 2", NUMBERS[method][network].get(percent)
    else:
        printed = (network, percent) == ("resnet18", 10)
        table, value = "Table 3", PAPER["fewer_images"].get(method, {}).get(unlabeled_percent) if printed else None
    remark = PAPER["remarks"].get(f"{method} {network} {percent} {unlabeled_percent}", "")
    return None if value is None else Published(table=f"LLP, {table}", value=value, remark=remark)


def llp_ablation(name: str, network: str, *, noise: int | None = NOISE) -> PaperRow:
    """A row of Table 6 of the second version: p = 10, q = 100, top-1 accuracy, one choice of LLP changed.

    Raises UnknownNameError for a name that is not in ABLATION, RequestError where the paper has it for the other
    network only.
    """
    printed, changes, values = pick("row of the LLP ablation", name, ABLATION)
    whole = llp_imagenet("llp", network, 10, 100, noise=noise)
    if network not in values:
        raise RequestError(f"the paper has {name} for {', '.join(values)} only.")
    recipe, epochs = _llp(network, 10, noise, **changes)
    return replace(
        whole,
        name=name,
        method=printed,
        recipe=recipe,
        epochs=epochs,
        measure="top-1 accuracy",
        published=Published(table="LLP, Table 6", value=values[network]),
    )


def _recipe(method: str, network: str, percent: int, noise: int | None) -> tuple[Recipe, int]:
    """The recipe and the epochs of its main phase."""
    match method:
        case "supervised":
            return _supervised(percent)
        case "mean-teacher":
            return _mean_teacher()
        case "llp":
            return _llp(network, percent, noise)
    recipe, epochs = _llp(network, percent, noise)
    return with_rate_jump(recipe, JUMP_EPOCHS / epochs), epochs


def _llp(network: str, percent: int, noise: int | None, **changes: Any) -> tuple[Recipe, int]:
    drops = PAPER["drops"][network].get(percent)
    epochs = (drops[-1] + AFTER_LAST_DROP if drops else LONGEST) - INSTANCE_EPOCHS
    schedule: Schedule = (
        step(*((drop - INSTANCE_EPOCHS) / epochs for drop in drops)) if drops else plateau(patience=10)
    )
    recipe = llp(**SETTINGS, **changes)
    instance, main = recipe.phases
    method = Settings(recipe.settings).make(Instance, noise=noise)
    phases = (replace(instance, method=method, share=INSTANCE_EPOCHS / epochs), replace(main, schedule=schedule))
    settings = {**recipe.settings, "noise": noise}
    return replace(recipe, phases=phases, pass_over="all", settings=settings), epochs


def _mean_teacher() -> tuple[Recipe, int]:
    """Warm-up of 2 epochs from 0.1 to 0.25, cosine over 75 of which 60 are trained."""
    down = partial(cosine, stretch=75 / TEACHER_EPOCHS)
    schedule = warm_up(down, 2 / TEACHER_EPOCHS, start=0.1 / PAPER["teacher"]["lr"])
    recipe = mean_teacher(**PAPER["teacher"])
    return replace(recipe, phases=(replace(recipe.main, schedule=schedule),)), TEACHER_EPOCHS


def _supervised(percent: int) -> tuple[Recipe, int]:
    """200 epochs over the labeled images with drops at 140, 160 and 180; at 1% 1000, with drops at 700, 800, 900."""
    lr, weight_decay, epochs = (0.01, 1e-2, 1000) if percent == 1 else (0.1, 1e-3, 200)
    recipe = supervised(batch_size=256, lr=lr, weight_decay=weight_decay, l2_feature=False)
    schedule = warm_up(step(0.7, 0.8, 0.9), 5 / epochs)
    main = replace(recipe.main, schedule=schedule, optimizer=replace(recipe.main.optimizer, nesterov=False))
    return replace(recipe, phases=(main,), pass_over="labeled"), epochs
