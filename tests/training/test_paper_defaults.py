"""Without settings a recipe does what its paper, or its released code, did: the numbers are from there."""

from __future__ import annotations

from typing import Any

import pytest

from labelprop.functional.schedule import ramp_up
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Method
from labelprop.methods.co_training import CoTraining
from labelprop.methods.exemplar import Exemplar
from labelprop.methods.fixmatch import FixMatch
from labelprop.methods.freematch import FreeMatch
from labelprop.methods.min_max import MinMax
from labelprop.methods.phases import Phase
from labelprop.methods.pi_model import PiModel
from labelprop.methods.pseudo_label import PseudoLabel
from labelprop.methods.rotation import Rotation
from labelprop.methods.supervised import Supervised
from labelprop.methods.temporal_ensembling import TemporalEnsembling
from labelprop.methods.uda import Uda
from labelprop.methods.vat import Vat
from labelprop.training import recipes


def main(recipe: str) -> Phase:
    return recipes.build(recipe, {}).main


def part(recipe: str, kind: type[Method]) -> Any:
    """The method of this kind in a recipe's main phase."""
    return next(part for part in main(recipe).method.modules() if isinstance(part, kind))


def streams(recipe: str) -> tuple[int, int]:
    needs = main(recipe).needs
    return needs.labeled.size, needs.unlabeled.size


@pytest.mark.parametrize(
    ("recipe", "lr", "weight_decay", "nesterov", "labeled", "unlabeled"),
    [
        ("s4l-rotation", 0.03, 1e-3, False, 256, 256),
        ("s4l-exemplar", 0.1, 1e-3, False, 256, 256),
        ("dct", 0.1, 1e-4, False, 16, 92),
        ("uda", 0.03, 5e-4, True, 64, 448),
        ("fixmatch", 0.03, 5e-4, True, 64, 448),
        ("freematch", 0.03, 5e-4, True, 64, 448),
        ("vat", 0.05, 2e-4, True, 32, 128),
        ("pseudo-label", 0.05, 2e-4, True, 32, 256),
    ],
)
def test_rate_decay_momentum_and_batch(
    recipe: str, lr: float, weight_decay: float, nesterov: bool, labeled: int, unlabeled: int
) -> None:
    found = main(recipe).optimizer
    assert (found.lr, found.weight_decay, found.momentum, found.nesterov) == (lr, weight_decay, 0.9, nesterov)
    assert streams(recipe) == (labeled, unlabeled)


@pytest.mark.parametrize(
    ("recipe", "factors"),
    [
        (
            "s4l-rotation",
            {2.5 / 200: 0.5, 5 / 200: 1, 139 / 200: 1, 141 / 200: 0.1, 161 / 200: 0.01, 181 / 200: 1e-3},
        ),
        ("s4l-exemplar", {5 / 200: 0.5, 10 / 200: 1, 139 / 200: 1, 141 / 200: 0.1, 161 / 200: 0.01, 181 / 200: 1e-3}),
        ("dct", {0: 1, 0.5: 0.5, 1: 0}),
        ("uda", {0: 1, 1: 0.19509}),  # cos(7 pi / 16)
        ("fixmatch", {0: 1, 1: 0.19509}),
        ("freematch", {0: 1, 1: 0.19509}),
    ],
)
def test_schedule(recipe: str, factors: dict[float, float]) -> None:
    schedule = main(recipe).schedule
    assert [schedule(at, ()) for at in factors] == pytest.approx(list(factors.values()), abs=1e-5)


@pytest.mark.parametrize(
    ("recipe", "kind", "wanted"),
    [
        ("s4l-rotation", Rotation, {"weight": 1.0, "average": False}),
        ("s4l-exemplar", Exemplar, {"weight": 1.0, "heads": {"class": None, "embedding": 1000}}),
        ("dct", CoTraining, {"agreement": 10.0, "difference": 0.5, "epsilon": 0.08}),  # 0.02 of the range of pixels
        ("uda", Uda, {"weight": 1.0, "threshold": 0.8, "sharpening": 0.4}),
        ("fixmatch", FixMatch, {"weight": 1.0, "threshold": 0.95}),
        ("freematch", FreeMatch, {"weight": 1.0, "momentum": None}),
        ("tdcnn", MinMax, {"n_neighbors": 10, "margin": 1.0, "quantile": 1.0}),
        ("vat", Vat, {"weight": 1.0, "epsilon": None, "power_steps": 1, "divergence": "kl"}),
        ("pi", PiModel, {"weight": 100.0, "ramp_up_share": 80 / 300}),
        ("temporal-ensembling", TemporalEnsembling, {"weight": 30.0, "momentum": 0.6, "ramp_up_share": 80 / 300}),
        ("pseudo-label", PseudoLabel, {"weight": 3.0, "threshold": None}),
    ],
)
def test_parameters(recipe: str, kind: type[Method], wanted: dict[str, Any]) -> None:
    found = part(recipe, kind)
    assert {name: getattr(found, name) for name in wanted} == wanted


def test_views_of_s4l() -> None:
    assert len(part("s4l-exemplar", Exemplar).needs.labeled.views) == 8


def test_cotraining_rises_over_80_of_600_epochs() -> None:
    assert part("dct", CoTraining).ramp_share == pytest.approx(80 / 600, abs=1e-3)
    assert ramp_up(1.0) == 1


@pytest.mark.parametrize(
    ("recipe", "decay", "statistics"),
    [("uda", 0.9999, "ema"), ("fixmatch", 0.999, "copy"), ("freematch", 0.999, "copy")],
)
def test_what_is_averaged(recipe: str, decay: float, statistics: str) -> None:
    found = part(recipe, Averaged)
    assert (found.decay, found.statistics) == (decay, statistics)


@pytest.mark.parametrize("recipe", ["vat", "vat-em", "uda", "fixmatch", "freematch"])
def test_the_mean_over_labels_is_over_labeled_examples_alone(recipe: str) -> None:
    assert part(recipe, Supervised).over == "labeled"


@pytest.mark.parametrize("recipe", ["pi", "temporal-ensembling", "mean-teacher"])
def test_the_mean_over_labels_is_over_the_batch(recipe: str) -> None:
    assert part(recipe, Supervised).over == "batch"
