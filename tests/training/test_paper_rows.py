"""Rows of the papers' tables: steps, batches, rates and drops as worked out by hand, and their numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.types import Task
from labelprop.models.choose import parse_model
from labelprop.models.network import ModelSpec, build
from labelprop.training import recipes
from labelprop.training.job import Lengths
from labelprop.training.lengths import epoch_length, lengths_of
from labelprop.training.recipes import paper_dlp, paper_llp
from labelprop.training.recipes.paper import PaperRow
from labelprop.training.recipes.paper_dlp import dlp_ablation, dlp_cifar10, dlp_cifar100, dlp_mini_imagenet
from labelprop.training.recipes.paper_llp import llp_ablation, llp_imagenet

IMAGENET = 1_281_167
DLP_ROWS = [
    function(method, labels)
    for function, numbers in (
        (dlp_cifar10, paper_dlp.CIFAR10),
        (dlp_cifar100, paper_dlp.CIFAR100),
        (dlp_mini_imagenet, paper_dlp.MINI_IMAGENET),
    )
    for method, columns in numbers.items()
    for labels in columns
]
LLP_ROWS = [
    llp_imagenet(method, network, p, q)
    for method in paper_llp.NUMBERS
    for network in paper_llp.NETWORKS
    for p in paper_llp.PERCENTS
    for q in paper_llp.UNLABELED_PERCENTS
]
ABLATION_ROWS = [
    *map(dlp_ablation, paper_dlp.ABLATION),
    *(llp_ablation(name, network) for name, (_, _, values) in paper_llp.ABLATION.items() for network in values),
]
ROWS = [*DLP_ROWS, *LLP_ROWS, *ABLATION_ROWS]


def plan_of(row: PaperRow, n: int, labeled: int, epochs: int | None = None) -> Lengths:
    labels_N = torch.full((n,), -1)
    labels_N[:labeled] = 0
    task = Task(labels_N, torch.ones(n), 10, 0)
    per_epoch = epoch_length(row.recipe, task)
    return lengths_of(row.recipe, per_epoch, (epochs or row.epochs) * per_epoch)


@pytest.mark.parametrize(
    ("row", "labeled", "per_epoch", "steps"),
    [
        (dlp_cifar10("supervised", 500), 500, 5, (900,)),
        (dlp_cifar10("dlp", 500), 500, 990, (900, 178_200)),
        (dlp_cifar10("network-prediction", 1000), 1000, 980, (1800, 176_400)),
        (dlp_cifar10("dlp", 2000), 2000, 960, (3600, 172_800)),
        (dlp_cifar10("dlp", 4000), 4000, 920, (7200, 165_600)),
        (dlp_cifar10("mean-teacher", 500), 500, 990, (178_200,)),
        (dlp_cifar10("mt+dlp", 4000), 4000, 920, (165_600, 165_600)),
        (dlp_cifar100("supervised", 4000), 4000, 31, (5580,)),
        (dlp_cifar100("dlp", 4000), 4000, 474, (5580, 85_320)),
        (dlp_cifar100("dlp", 10000), 10000, 412, (14_040, 74_160)),
        (dlp_mini_imagenet("mt+dlp", 10000), 10000, 412, (74_160, 74_160)),
        (dlp_ablation("dlp-certainty"), 500, 990, (900, 178_200)),
    ],
    ids=lambda value: f"{value.where}, {value.name}" if isinstance(value, PaperRow) else None,
)
def test_steps_of_the_dlp_tables(row: PaperRow, labeled: int, per_epoch: int, steps: tuple[int, ...]) -> None:
    lengths = plan_of(row, 50_000, labeled)
    assert (lengths.steps_per_epoch, lengths.steps) == (per_epoch, steps)


@pytest.mark.parametrize(
    ("row", "per_epoch", "steps"),
    [
        (llp_imagenet("llp", "resnet18", 10), 10_009, (100_090, 299 * 10_009)),
        (llp_imagenet("llp", "resnet50", 1), 10_009, (100_090, 271 * 10_009)),
        (llp_imagenet("llp", "resnet50", 3), 10_009, (100_090, 390 * 10_009)),
        (llp_imagenet("llp+rj", "resnet18", 3), 10_009, (100_090, 390 * 10_009, 2_001_800)),
        (llp_imagenet("mean-teacher", "resnet18", 10), 5_755, (60 * 5_755,)),
        (llp_imagenet("supervised", "resnet18", 10), 507, (101_400,)),
        (llp_imagenet("supervised", "resnet50", 1), 50, (50_000,)),
        (llp_ablation("llp-nodw", "resnet50"), 10_009, (100_090, 276 * 10_009)),
    ],
    ids=lambda value: f"{value.where}, {value.name}" if isinstance(value, PaperRow) else None,
)
def test_steps_of_the_llp_tables(row: PaperRow, per_epoch: int, steps: tuple[int, ...]) -> None:
    lengths = plan_of(row, IMAGENET, 13_000 * row.percent)
    assert (lengths.steps_per_epoch, lengths.steps) == (per_epoch, steps)


@pytest.mark.parametrize(
    ("network", "percent", "drops"),
    [
        ("resnet18", 10, (194, 239, 299)),
        ("resnet18", 5, (192, 255, 314)),
        ("resnet18", 3, (252, 340, 390)),
        ("resnet18", 1, (176, 209, 233)),
        ("resnet50", 10, (202, 256, 276)),
        ("resnet50", 1, (181, 247, 271)),
    ],
)
def test_llp_drops_at_the_step_that_ends_the_epochs_of_the_released_code(network, percent, drops) -> None:
    row = llp_imagenet("llp+rj", network, percent)
    instance, main, jump = row.recipe.phases
    lengths = plan_of(row, IMAGENET, 13_000 * percent)
    assert {instance.schedule(share, []) for share in (0, 0.5, 1)} == {1}
    for number, epoch in enumerate(drops):
        first = epoch * 10_009 - lengths.steps[0]  # the counter goes on from the instance phase
        before, after = (main.schedule(step / lengths.steps[1], []) for step in (first - 1, first))
        assert (before, after) == pytest.approx((0.1**number, 0.1 ** (number + 1)))
    assert [phase.optimizer.lr for phase in row.recipe.phases] == pytest.approx([0.03, 0.03, 0.003])
    assert [jump.schedule(share, []) for share in (0, 0.49, 0.51, 0.99)] == pytest.approx([1, 1, 0.1, 0.01])


def test_llp_without_known_drops_waits_for_a_plateau() -> None:
    for percent in (3, 5):
        schedule = llp_imagenet("llp", "resnet50", percent).recipe.main.schedule
        assert schedule(0.999, [1 / (epoch + 1) for epoch in range(100)]) == 1
        assert schedule(0.999, [1.0] * 60) == pytest.approx(1e-3)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.where}, {row.network}, {row.name}")
def test_every_row_is_a_recipe_with_its_papers_optimizer(row: PaperRow) -> None:
    recipe = recipes.build(row.recipe, {})
    assert recipe is row.recipe
    optimizers = [phase.optimizer for phase in recipe.phases]
    assert {one.momentum for one in optimizers} == {0.9}
    if row.data == "imagenet":
        expected = {
            "supervised": (1e-2 if row.percent == 1 else 1e-3, False, True),
            "mean-teacher": (5e-5, True, True),
        }
        decay, nesterov, norms = expected.get(row.name, (1e-4, False, False))
    else:
        decay, nesterov, norms = 2e-4, True, True
        assert {one.lr for one in optimizers} == {0.05 if row.data == "cifar10" else 0.2}
    assert {(one.weight_decay, one.nesterov, one.decay_norms) for one in optimizers} == {(decay, nesterov, norms)}
    assert recipe.l2_feature == (row.data != "imagenet" and row.name not in ("mean-teacher", "mt+dlp"))


@pytest.mark.parametrize(
    ("row", "streams"),
    [
        (dlp_cifar10("dlp", 500), [(100, 0), (50, 50)]),
        (dlp_cifar10("mt+dlp", 500), [(50, 50), (50, 50)]),
        (dlp_cifar100("dlp", 4000), [(128, 0), (31, 97)]),
        (dlp_mini_imagenet("mean-teacher", 4000), [(31, 97)]),
        (llp_imagenet("llp", "resnet18", 10), [(0, 128), (0, 128)]),
        (llp_imagenet("mean-teacher", "resnet50", 10), [(200, 200)]),
        (llp_imagenet("supervised", "resnet18", 1), [(256, 0)]),
    ],
    ids=lambda value: f"{value.where}, {value.name}" if isinstance(value, PaperRow) else None,
)
def test_batches(row: PaperRow, streams: list[tuple[int, int]]) -> None:
    needs = [phase.needs for phase in row.recipe.phases]
    assert [(one.labeled.size, one.unlabeled.size) for one in needs] == streams


def test_dlp_ends_at_the_rate_of_epoch_180_of_a_ramp_of_210() -> None:
    for phase in dlp_cifar10("dlp", 500).recipe.phases:
        assert phase.schedule(0.5, []) == pytest.approx(0.5 * (1 + math.cos(math.pi * 90 / 210)))
        assert phase.schedule(1, []) == pytest.approx(0.5 * (1 + math.cos(math.pi * 180 / 210)))


def test_phases_load_what_the_paper_loads() -> None:
    _, second = dlp_cifar10("dlp", 500).recipe.phases
    assert (second.keep_optimizer, second.keep_state) == (True, False)
    _, second = dlp_cifar10("mt+dlp", 500).recipe.phases
    assert (second.keep_optimizer, second.keep_state) == (True, True)
    _, main, jump = llp_imagenet("llp+rj", "resnet18", 1).recipe.phases
    assert main.keep_state
    assert jump.keep_state


def test_teachers() -> None:
    small = dlp_cifar10("mean-teacher", 500).recipe.settings
    assert (small["weight"], small["ramp_up"], small["decay"], small["tie"]) == (100, 5, 0.97, 0.01)
    recipe = llp_imagenet("mean-teacher", "resnet18", 10).recipe
    large = recipe.settings
    assert (large["weight"], large["ramp_up"], large["decay"], large["divergence"]) == (10, 5, 0.9997, "kl")
    rates = [0.25 * recipe.main.schedule(epoch / 60, []) for epoch in (0, 1, 2, 60)]
    down = [0.5 * (1 + math.cos(math.pi * epoch / 75)) for epoch in (0, 1, 2, 60)]
    assert rates == pytest.approx([0.1 * down[0], 0.175 * down[1], 0.25 * down[2], 0.25 * down[3]])


def test_supervised_on_imagenet_warms_up_and_drops_three_times() -> None:
    schedule = llp_imagenet("supervised", "resnet18", 10).recipe.main.schedule
    epochs = (0, 2.5, 5, 139, 140, 160, 180)
    assert [schedule(epoch / 200, []) for epoch in epochs] == pytest.approx([0, 0.5, 1, 1, 0.1, 0.01, 0.001])
    assert llp_imagenet("supervised", "resnet18", 1).recipe.main.optimizer.lr == 0.01
    assert llp_imagenet("supervised", "resnet18", 3).recipe.main.optimizer.lr == 0.1


def test_llp_parameters() -> None:
    instance, main = (phase.method for phase in llp_imagenet("llp", "resnet18", 10).recipe.phases)
    assert (instance.noise, instance.dim, instance.momentum, instance.temperature) == (4096, 128, 0.5, 0.07)
    assert (main.n_voters, main.n_density, main.density, main.pool) == (10, 25, "joint", "unlabeled")
    assert llp_imagenet("llp", "resnet18", 10, noise=None).recipe.phases[0].method.noise is None
    changed = {name: llp_ablation(name, "resnet18").recipe.main.method for name in paper_llp.ABLATION}
    assert [changed[f"llp-top{k}"].n_voters for k in (50, 20, 5)] == [50, 20, 5]
    assert (changed["llp-noc"].confidence, changed["llp-nodw"].density) == (False, None)
    assert changed["llp-ratio"].density == "ratio"


def test_dlp_parameters() -> None:
    settings = dlp_cifar10("dlp", 500).recipe.settings
    assert [settings[name] for name in ("n_neighbors", "power", "alpha", "max_iter")] == [50, 3, 0.99, 20]
    weights = {name: dlp_ablation(name).recipe.settings for name in paper_dlp.ABLATION}
    used = {name: (found["certainty"], found["class_balance"]) for name, found in weights.items()}
    assert used == {
        "dlp-unweighted": (False, False),
        "dlp-class-balance": (False, True),
        "dlp-certainty": (True, False),
        "dlp": (True, True),
        "network-prediction": (True, True),
    }


@pytest.mark.parametrize(
    ("row", "text", "measure"),
    [
        (dlp_cifar10("supervised", 500), "49.08 ± 0.83", "top-1 error"),
        (dlp_cifar10("dlp", 4000), "12.69 ± 0.29", "top-1 error"),
        (dlp_cifar10("mean-teacher", 500), "27.45 ± 2.64", "top-1 error"),
        (dlp_cifar10("mt+dlp", 1000), "16.93 ± 0.70", "top-1 error"),
        (dlp_cifar100("dlp", 10000), "38.43 ± 1.88", "top-1 error"),
        (dlp_mini_imagenet("mt+dlp", 4000), "50.52 ± 0.39", "top-5 error"),
        (dlp_ablation("dlp-unweighted"), "36.53 ± 1.42", "top-1 error"),
        (dlp_ablation("network-prediction"), "35.17 ± 2.46", "top-1 error"),
        (llp_imagenet("llp", "resnet18", 3), "53.24", "top-1 accuracy"),
        (llp_imagenet("llp+rj", "resnet50", 1), "72.20", "top-5 accuracy"),
        (llp_imagenet("mean-teacher", "resnet18", 10, 30), "56.07", "top-1 accuracy"),
        (llp_imagenet("mean-teacher", "resnet18", 10), "56.70 (55.65 in Table 3)", "top-1 accuracy"),
        (llp_ablation("llp-noc", "resnet50"), "64.01", "top-1 accuracy"),
        (dlp_cifar10("dlp", 50), "None", "top-1 error"),
        (llp_imagenet("llp", "resnet50", 3), "None", "top-5 accuracy"),
    ],
    ids=lambda value: f"{value.where}, {value.name}" if isinstance(value, PaperRow) else None,
)
def test_published_numbers(row: PaperRow, text: str, measure: str) -> None:
    assert (str(row.published), row.measure) == (text, measure)


def parameters(row: PaperRow, shape: tuple[int, ...], n_classes: int) -> tuple[int, dict[str, int]]:
    """Parameters of the trunk, and outputs of the heads, of the row's network."""
    name, options = parse_model(row.network)
    with torch.device("meta"):
        network = build(ModelSpec(name, shape, row.recipe.heads(n_classes), options, row.recipe.l2_feature), seed=0)
    heads = {name: head.out_features for name, head in network.heads.items() if isinstance(head, nn.Linear)}
    return sum(p.numel() for p in network.trunk.parameters()), heads


def conv_norm(inputs: int, outputs: int, kernel: int) -> int:
    """A weight-normed convolution with bias and batch norm: directions, lengths, bias, scale and shift."""
    return inputs * outputs * kernel**2 + outputs + outputs + 2 * outputs


def test_the_13_layer_network() -> None:
    sizes = [(3, 128, 3), *[(128, 128, 3)] * 2, (128, 256, 3), *[(256, 256, 3)] * 2]
    sizes += [(256, 512, 3), (512, 256, 1), (256, 128, 1)]
    count, heads = parameters(dlp_cifar10("mt+dlp", 500), (3, 32, 32), 10)
    assert count == sum(conv_norm(*size) for size in sizes)
    assert heads == {"class": 10, "consistency": 10}


def test_the_residual_networks() -> None:
    count, heads = parameters(dlp_mini_imagenet("dlp", 4000), (3, 84, 84), 100)
    assert count == 11_689_512 - 512_000 - 1000  # the count every framework gives for ResNet-18, less its last layer
    assert heads == {"class": 100}
    count, heads = parameters(llp_imagenet("llp", "resnet18", 10), (3, 224, 224), 1000)
    assert heads == {"class": 1000, "embedding": 128}
    stages = (152_064, 525_184, 2_098_944, 8_392_192)  # blocks of 3x3 convolutions, norms before them, one projection
    assert count == 3 * 64 * 49 + sum(stages) + 2 * 512
    assert parameters(llp_imagenet("llp", "resnet50", 10), (3, 224, 224), 1000)[0] > 23_000_000


def test_shorter_runs_shorten_all_phases_alike() -> None:
    assert plan_of(dlp_cifar10("dlp", 4000), 50_000, 4000, 18).steps == (720, 16_560)
    assert plan_of(dlp_cifar10("supervised", 4000), 50_000, 4000, 18).steps == (720,)
    assert plan_of(llp_imagenet("llp", "resnet18", 10), IMAGENET, 130_000, 299 // 13).steps == (7699, 230_207)


def test_rows_that_are_not_in_a_table() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mean-teacher'"):
        dlp_cifar10("mean_teacher", 500)
    with pytest.raises(UnknownNameError, match="method of the table DLP, CIFAR-100"):
        dlp_cifar100("network-prediction", 4000)
    with pytest.raises(RequestError, match="--labels 50000 must be above 0 and below the 50,000"):
        dlp_cifar10("dlp", 50_000)
    with pytest.raises(RequestError, match="--percent 2 is none of the paper's: 1, 3, 5, 10"):
        llp_imagenet("llp", "resnet18", 2)
    with pytest.raises(RequestError, match="llp-ratio for resnet18 only"):
        llp_ablation("llp-ratio", "resnet50")
    with pytest.raises(RequestError, match="given ready made"):
        recipes.build(dlp_cifar10("dlp", 500).recipe, {"lr": 1.0})
