"""How the recipes around LLP start: their phases, what these hand on, and what the first of them is."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

import ranks
from labelprop.functional.schedule import cosine
from labelprop.methods.local_labels import LocalLabels
from labelprop.methods.supervised import Supervised
from labelprop.training import loop, recipes
from labelprop.training.checkpoint import optimizer_tensors
from labelprop.training.outputs import collect_outputs
from labelprop.training.phase_run import PhaseRun
from labelprop.training.recipes import paper_llp
from short_training import small, trained

AFTER = {"llp": ["llp"], "llp+diffusion": ["llp+diffusion"], "llp+rj": ["llp", "rate jump"], "mt+llp": ["mt+llp"]}
AFTER |= {"uda+llp": ["uda+llp"], "la+llp": ["la", "la+llp"]}
SHARES = {"supervised": 1 / 4, "ir": 1 / 4, "la": 1 / 4, "rate jump": 1 / 4}


@pytest.mark.parametrize("name", AFTER)
@pytest.mark.parametrize(("start", "first"), [("supervised", "supervised"), ("instances", "ir")])
def test_phases_and_their_shares(name: str, start: str, first: str) -> None:
    phases = recipes.build(name, {"start": start}).phases
    assert [phase.name for phase in phases] == [first, *AFTER[name]]
    assert [phase.share for phase in phases] == [SHARES.get(phase.name, 1) for phase in phases]
    assert recipes.build(name, {}).phases[0].name == "supervised", "the default"


@pytest.mark.parametrize("name", AFTER)
def test_half_of_a_batch_is_labeled_and_the_rate_falls_with_a_cosine(name: str) -> None:
    recipe = recipes.build(name, {})
    assert (recipe.main.needs.labeled.size, recipe.main.needs.unlabeled.size) == (64, 64)
    assert {phase.schedule for phase in recipe.phases if phase.name in ("supervised", name)} == {cosine}


def test_the_papers_start_is_the_papers_optimizer_and_drops() -> None:
    instance, main = recipes.build("llp", paper_llp.SETTINGS).phases
    assert not main.optimizer.nesterov
    assert not main.optimizer.decay_norms
    assert (main.optimizer.lr, main.optimizer.weight_decay, main.needs.labeled.size) == (0.03, 1e-4, 0)
    assert [main.schedule(at, ()) for at in (0.5, 0.7, 0.8, 0.95)] == pytest.approx([1, 0.1, 0.01, 1e-3])
    assert instance.optimizer == main.optimizer


def test_the_first_phase_is_the_recipe_supervised() -> None:
    """So that no step of LLP leaves what the labels alone make: the same losses, of the same batches."""
    same = {"batch_size": 12, "l2_feature": False}
    alone, _, _ = trained("supervised", same)
    losses, _, _ = trained("llp", small("llp") | same)
    assert losses[: len(alone)] == alone
    (phase,), first = recipes.build("supervised", same).phases, recipes.build("llp", same | small("llp")).phases[0]
    assert (phase.optimizer, phase.schedule) == (first.optimizer, first.schedule)


def test_the_bank_is_what_an_eval_pass_of_the_supervised_network_says() -> None:
    job = ranks.small_job("llp")
    net = job.build()
    first = PhaseRun(job, net, 0, {}, None)
    first.refresh(0)
    first.epoch(0)
    assert isinstance(first.method, Supervised)
    expected_ND = F.normalize(net.heads["embedding"](collect_outputs(net, job.loader)["feature"]), dim=1)
    second = PhaseRun(job, net, 1, optimizer_tensors(first.optimizer), None, first.method)
    second.refresh(0)
    assert isinstance(second.method, LocalLabels)
    torch.testing.assert_close(second.method.bank.vectors_ND, expected_ND)


def test_no_name_of_a_start_is_made_up() -> None:
    with pytest.raises(recipes.UnknownNameError, match="start 'instance'; did you mean 'instances'"):
        recipes.build("llp", {"start": "instance"})


def test_a_batch_holds_so_many_labeled_rows() -> None:
    job = ranks.small_job("llp+diffusion")
    seen = []
    loss = LocalLabels.loss

    def counting(self, net, batch, progress):
        seen.append((int((job.task.labels_N[batch.joint.indices_B] >= 0).sum()), len(batch.joint.indices_B)))
        return loss(self, net, batch, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalLabels, "loss", counting)
        loop.run(job)
    assert set(seen) == {(ranks.SMALL["labeled_batch_size"], ranks.SMALL["batch_size"])}
