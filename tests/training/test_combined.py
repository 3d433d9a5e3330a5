"""Recipes that combine methods: one batch for all of them, and what they hand on from phase to phase."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch

import ranks
from labelprop.methods.averaged import Averaged
from labelprop.methods.base import Sum
from labelprop.methods.state import Ema, MemoryBank
from labelprop.training import recipes
from labelprop.training.checkpoint import optimizer_tensors
from labelprop.training.phase_run import PhaseRun

SIZES = {"fixmatch+dlp": (64, 128), "mt+llp": (64, 64), "uda+llp": (64, 64)}
VIEWS = {"fixmatch+dlp": ("weak", "strong"), "mt+llp": ("weak", "weak"), "uda+llp": ("weak", "strong")}
TERMS = {
    "fixmatch+dlp": {"strong", "diffusion_labels"},
    "mt+llp": {"consistency", "tie", "aggregation", "class"},
    "uda+llp": {"strong", "aggregation", "class"},
    "la+llp": {"aggregation", "class"},
}


@pytest.mark.parametrize("name", SIZES)
def test_all_parts_ask_for_the_same_batch(name: str) -> None:
    """Else the larger streams of one would be filled with examples that another's settings do not know of."""
    method = recipes.build(name, {}).phases[-1].method
    assert isinstance(method, Sum)
    assert (method.needs.labeled.size, method.needs.unlabeled.size) == SIZES[name]
    assert method.needs.unlabeled.views == VIEWS[name]
    for part in method.methods:
        sizes = (part.needs.labeled.size, part.needs.unlabeled.size)
        assert sizes == ((0, 0) if isinstance(part, Averaged) else SIZES[name])


@pytest.mark.parametrize("name", SIZES)
def test_a_batch_size_reaches_all_parts(name: str) -> None:
    method = recipes.build(name, {"batch_size": 40, "labeled_batch_size": 10}).phases[-1].method
    assert {(part.needs.labeled.size, part.needs.unlabeled.size) for part in method.methods} <= {(10, 30), (0, 0)}


def phases(name: str, **settings: Any) -> list[PhaseRun]:
    """Each phase after one epoch, the next one taking over."""
    job, runs = ranks.small_job(name, **settings), []
    net, optimizer_state, before = job.build(), {}, None
    for index in range(len(job.recipe.phases)):
        run = PhaseRun(job, net, index, optimizer_state, None, before)
        run.began = {key: value.clone() for key, value in run.method.state_dict().items()}
        run.refresh(0)
        run.line = run.epoch(0)
        optimizer_state, before = optimizer_tensors(run.optimizer), run.method
        runs.append(run)
    return runs


@pytest.mark.parametrize("name", TERMS)
def test_the_last_phase_trains_on_the_terms_of_all_its_methods(name: str) -> None:
    assert set(phases(name)[-1].line["terms"]) == TERMS[name]


@pytest.mark.parametrize(("start", "first"), [("instances", "ir"), ("supervised", "supervised")])
def test_the_bank_goes_from_aggregation_to_votes(start: str, first: str) -> None:
    runs = phases("la+llp", start=start)
    assert [run.spec.name for run in runs] == [first, "la", "la+llp"]
    for before, after in pairwise(runs[1:] if start == "supervised" else runs):
        kept = next(part for part in before.method.modules() if isinstance(part, MemoryBank)).vectors_ND
        assert torch.equal(after.began["bank.vectors_ND"], kept)
        assert not torch.equal(runs[1].began["bank.vectors_ND"], runs[1].method.bank.vectors_ND)


def test_aggregation_and_votes_have_neighbors_of_their_own() -> None:
    _, aggregation, votes = recipes.build("la+llp", {"n_background": 77, "n_neighbors": 7, "rounds": 3}).phases
    assert (aggregation.method.n_neighbors, aggregation.method.rounds) == (77, 3)
    assert votes.method.n_voters == 7


def test_the_average_goes_on_in_the_second_phase() -> None:
    first, second = phases("fixmatch+dlp")
    kept = dict(first.method.state_dict())
    for key, value in second.began.items():
        if key.startswith("methods.0."):
            assert torch.equal(value, kept[key]), key
    assert int(second.began["methods.0.average.steps"]) == 5


@pytest.mark.parametrize("name", [*SIZES, "uda", "fixmatch", "freematch", "mean-teacher"])
def test_an_average_is_deployed(name: str) -> None:
    run = phases(name)[-1]
    average = next(part for part in run.method.modules() if isinstance(part, Ema))
    assert run.method.deployed(run.module) is average.net


@pytest.mark.parametrize("name", ["mt+llp", "uda+llp"])
def test_the_class_head_cannot_be_left_out(name: str) -> None:
    with pytest.raises(recipes.UnknownNameError, match="classification"):
        recipes.build(name, {"classification": False})
