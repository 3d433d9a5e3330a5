"""Pseudo-Label and labels found once: terms by hand, gradients by differences, special cases, whole runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.run_folder import RunFolder
from labelprop.core.types import Progress
from labelprop.graph.seeds import Seeds
from labelprop.methods.labels_once import LabelsOnce, by_cut, by_propagation, by_vote
from labelprop.methods.pseudo_label import PseudoLabel
from labelprop.methods.supervised import Supervised
from labelprop.models.network import ModelSpec, build
from labelprop.propagators.spectral_cut import SpectralCut
from labelprop.training import recipes
from labelprop.training.checkpoint import Checkpoints
from small_batches import START, Fixed, batch_of, task_of

TASK = task_of([0, 1, -1, -1, -1], weights=[1.0, 0.5, 1.0, 1.0, 1.0])
LOGITS = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.5, 0.0], [-3.0, 1.0], [0.0, 0.0]], dtype=torch.float64)


def identity(x: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"class": x, "feature": x}


def online(**options) -> PseudoLabel:
    method = PseudoLabel(**options)
    method.setup(torch.nn.Identity(), TASK)
    return method


def batch(logits: torch.Tensor = LOGITS):
    return batch_of(TASK, [0, 1, 2, 3, 4], 2, logits)


def test_both_terms_are_means_over_their_own_stream() -> None:
    found, log_p = online().loss(identity, batch(), START), LOGITS.log_softmax(1)
    assert found.terms["supervised"].item() == pytest.approx(-(log_p[0, 0] + 0.5 * log_p[1, 1]).item() / 2, abs=1e-12)
    assert found.terms["pseudo"].item() == pytest.approx(-log_p[2:].amax(1).mean().item(), abs=1e-12)


def test_a_threshold_takes_rows_out_of_the_sum_and_not_of_the_mean() -> None:
    log_p = LOGITS.log_softmax(1)
    found = online(threshold=0.6).loss(identity, batch(), START)
    assert found.terms["pseudo"].item() == pytest.approx(-(log_p[2, 0] + log_p[3, 1]).item() / 3, abs=1e-12)
    assert online(threshold=1.0).loss(identity, batch(), START).terms["pseudo"].item() == 0
    even = torch.zeros(5, 2, dtype=torch.float64)  # exactly 1/2
    assert online(threshold=0.5).loss(identity, batch(even), START).terms["pseudo"].item() == pytest.approx(np.log(2))


def test_gradient_against_finite_differences() -> None:
    logits = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    done = Progress(9, 10, 0, 10)

    def loss(x: torch.Tensor) -> torch.Tensor:
        return online().loss(identity, batch(x), done).total()

    assert torch.autograd.gradcheck(loss, (logits,), eps=1e-6, atol=1e-7)


def test_alpha_is_nothing_then_rises_then_stays() -> None:
    method = online(weight=3, ramp_from=0.1, ramp_to=0.6)
    at = [Progress(step, 100, 0, 10) for step in range(0, 100, 5)]
    alphas = [method.loss(identity, batch(), progress).weights["pseudo"] for progress in at]
    assert alphas[:3] == [0, 0, 0]
    assert alphas[3] == pytest.approx(3 * 0.05 / 0.5)
    assert alphas[7] == pytest.approx(3 * 0.25 / 0.5)
    assert alphas[12:] == [3] * 8
    assert online(ramp_from=0, ramp_to=0).loss(identity, batch(), START).weights["pseudo"] == 3
    at_once = online(weight=3, ramp_from=0.3, ramp_to=0.3)
    assert [at_once.loss(identity, batch(), progress).weights["pseudo"] for progress in at] == [0] * 6 + [3] * 14


def test_before_alpha_rises_it_is_supervised() -> None:
    supervised = Supervised(batch_size=2)
    supervised.setup(torch.nn.Identity(), TASK)
    expected = supervised.loss(identity, batch_of(TASK, [0, 1], 2, LOGITS[:2]), START).total()
    assert torch.equal(online().loss(identity, batch(), START).total(), expected)


def test_a_part_of_a_batch_without_labels_or_without_others_is_finite() -> None:
    for rows, n_labeled in (([2, 3], 0), ([0, 1], 2)):
        part = batch_of(TASK, rows, n_labeled, LOGITS[rows].clone().requires_grad_())
        total = online().loss(identity, part, Progress(9, 10, 0, 10)).total()
        total.backward()
        assert torch.isfinite(total)


def once(outputs: dict[str, torch.Tensor], task=TASK, **options) -> LabelsOnce:
    method = LabelsOnce(**options)
    method.setup(torch.nn.Identity(), task)
    method.refresh(torch.nn.Identity(), Fixed(**outputs), 0)
    return method


def test_all_labels_count_alike_and_given_ones_by_their_trust() -> None:
    method = once({"class": LOGITS.float()})
    assert method.label_N.tolist() == [0, 1, 0, 1, 0]
    assert method.weight_N.tolist() == [1, 0.5, 1, 1, 1]
    assert method.certainty_N[2:].tolist() == pytest.approx(LOGITS.softmax(1).amax(1)[2:].tolist())
    log_p = LOGITS.log_softmax(1)
    expected = -(log_p[0, 0] + 0.5 * log_p[1, 1] + log_p[2, 0] + log_p[3, 1] + log_p[4, 0]).item() / 5
    assert method.loss(identity, batch(), START).total().item() == pytest.approx(expected, abs=1e-12)


def test_only_the_most_certain_share_counts_and_is_drawn() -> None:
    method = once({"class": LOGITS.float()}, fraction=1 / 3)
    assert method.weight_N.tolist() == [1, 0.5, 0, 1, 0]
    assert method.drawn_from().tolist() == [0, 1, 3]
    assert method.pseudo_labels().labels_N.tolist() == [0, 1, 0, 1, 0], "labels are shown, whether they count or not"


def test_ties_go_to_the_lower_row() -> None:
    same = torch.tensor([[1.0, 0.0]]).expand(9, 2)
    method = once({"class": same}, task_of([0] + [-1] * 8), fraction=0.5)
    assert method.drawn_from().tolist() == [0, 1, 2, 3, 4]


def test_weighted_counts_by_certainty() -> None:
    method = once({"class": LOGITS.float()}, weighted=True)
    assert method.weight_N[2:].tolist() == pytest.approx(LOGITS.softmax(1).amax(1)[2:].tolist())


def test_labels_are_found_once() -> None:
    method = once({"class": LOGITS.float()})
    method.refresh(torch.nn.Identity(), Fixed(**{"class": -LOGITS.float()}), 1)
    assert method.label_N.tolist() == [0, 1, 0, 1, 0]
    method.refresh(torch.nn.Identity(), Fixed(**{"class": -LOGITS.float()}), 0)
    assert method.label_N.tolist() == [0, 1, 1, 0, 0], "else the line before would show nothing"


def blobs(n: int = 60) -> tuple[torch.Tensor, torch.Tensor]:
    classes_N = torch.arange(n) % 3
    return 2 * torch.eye(6)[classes_N] + torch.randn(n, 6, generator=torch.Generator().manual_seed(0)), classes_N


def test_the_cut_is_that_of_the_estimator_and_prefers_the_embedding() -> None:
    vectors_ND, classes_N = blobs()
    given_N = torch.where(torch.arange(60) < 9, classes_N, -1)
    seeds = Seeds.hard(given_N, 3)
    labels_N, certainty_N = by_cut(Fixed(feature=-vectors_ND, embedding=vectors_ND), seeds, {"n_neighbors": 7})
    estimator = SpectralCut(n_neighbors=7).fit(vectors_ND.numpy(), given_N.numpy())
    assert labels_N.tolist() == estimator.transduction_.tolist()
    assert certainty_N.tolist() == pytest.approx(estimator.certainty_.tolist(), abs=1e-5)


def test_a_component_without_labels_has_none_and_does_not_count() -> None:
    vectors_ND = torch.eye(3).repeat_interleave(6, 0) + 0.01 * torch.rand(18, 3)
    task = task_of([0] + [-1] * 5 + [1] + [-1] * 11)
    method = once({"feature": vectors_ND}, task, source="spectral-cut", source_parameters={"n_neighbors": 3})
    assert method.label_N.tolist() == [0] * 6 + [1] * 6 + [-1] * 6
    assert method.weight_N.tolist() == [1] * 12 + [0] * 6
    assert (method.certainty_N[12:] == 0).all()


def test_the_vote_is_by_hand_the_nearest_label() -> None:
    vectors_ND, classes_N = blobs()
    seeds = Seeds.hard(torch.where(torch.arange(60) < 9, classes_N, -1), 3)
    labels_N, certainty_N = by_vote(Fixed(feature=vectors_ND), seeds, {"n_neighbors": 1, "temperature": 0.1})
    cosines_NL = F.normalize(vectors_ND, dim=1) @ F.normalize(vectors_ND[:9], dim=1).T
    assert labels_N.tolist() == classes_N[cosines_NL.argmax(1)].tolist()
    assert (certainty_N == 1).all()


def test_the_vote_counts_a_label_by_the_trust_in_it() -> None:
    """By hand: cosines 1, 0 and 0.6 at temperature 1, the first label trusted by a tenth."""
    vectors_ND = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [1.0, 0.0]])
    seeds = Seeds.hard(torch.tensor([0, 1, 1, -1]), 2, torch.tensor([0.1, 1.0, 1.0, 1.0]))
    labels_N, certainty_N = by_vote(Fixed(feature=vectors_ND), seeds, {"n_neighbors": 3, "temperature": 1.0})
    of_0, of_1 = 0.1 * math.e, 1 + math.exp(0.6)
    assert labels_N[3] == 1
    assert certainty_N[3].item() == pytest.approx(of_1 / (of_0 + of_1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PseudoLabel(labeled_batch_size=288), "labeled_batch_size=288 must"),
        (lambda: PseudoLabel(weight=-1), "weight=-1"),
        (lambda: PseudoLabel(ramp_from=0.7), "ramp_from=0.7 and ramp_to=0.6"),
        (lambda: PseudoLabel(threshold=2), "threshold=2"),
        (lambda: LabelsOnce(source="cut"), "unknown source 'cut'"),
        (lambda: LabelsOnce(fraction=0), "fraction=0: must"),
        (lambda: LabelsOnce(batch_size=0), "batch_size=0: must"),
        (lambda: recipes.build("pseudo-label", {"form": "twice"}), "unknown form 'twice'"),
        (
            lambda: recipes.build("pseudo-label", {"form": "two-stage", "threshold": 0.9}),
            "'two-stage' 'threshold'",
        ),
    ],
)
def test_bad_parameters_are_refused(make, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        make()


def test_dmt_weighs_all_or_keeps_a_share() -> None:
    kept = [
        (method.fraction, method.weighted)
        for settings in ({}, {"weighted": True}, {"weighted": True, "fraction": 0.5})
        for method in [recipes.build("dmt", settings).phases[1].method]
    ]
    assert kept == [(0.2, False), (1.0, True), (0.5, True)]


def two_stage(out, **options):
    vectors_ND, classes_N = (part.numpy() for part in blobs(90))
    settings = {"form": "two-stage", "batch_size": 12}
    y = np.where(np.arange(90) < 9, classes_N, -1)
    fixed = {"recipe": "pseudo-label", "epochs": 2, "baselines": False, "settings": settings}
    return labelprop.train(vectors_ND, y, out=out, report=False, **fixed, **options)


def test_the_second_stage_starts_from_scratch_on_labels_of_the_first(tmp_path, monkeypatch) -> None:
    """What the first network predicts at its end is what the second, a new one, learns."""
    seen, refresh = [], LabelsOnce.refresh

    def noting(self, net, tools, epoch):
        if epoch == 0:
            seen.append((net.trunk.layers[1].weight.detach().clone(), tools.outputs()["class"].argmax(1).clone()))
        refresh(self, net, tools, epoch)

    monkeypatch.setattr(LabelsOnce, "refresh", noting)
    run = two_stage(tmp_path / "run")
    weight, labels_N = seen[0]
    spec = ModelSpec.from_json(RunFolder(run.path).read_json("model.json")["architecture"])
    fresh = build(spec, seed=0).eval()
    assert torch.equal(weight, fresh.trunk.layers[1].weight), "the second network starts from the first weights"
    kept = RunFolder(run.path).read_table("pseudo_labels.parquet").column("label").to_pylist()
    assert [str(label) for label in labels_N.tolist()][9:] == [str(label) for label in kept][9:]
    with torch.no_grad():
        of_fresh_N = fresh(run.model.preprocessing.apply(blobs(90)[0]))["class"].argmax(1)
    assert of_fresh_N.tolist() != labels_N.tolist(), "a new network labels otherwise"


def test_the_two_stage_form_resumes_as_if_unbroken(tmp_path, monkeypatch) -> None:
    unbroken, save = two_stage(tmp_path / "unbroken"), Checkpoints.save
    for stop in (0, 1):

        def stopping(self, number, tensors, state, stop=stop) -> None:
            save(self, number, tensors, state)
            if state["phase"] == stop:
                raise KeyboardInterrupt

        out = tmp_path / str(stop)
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", stopping)
            with pytest.raises(KeyboardInterrupt):
                two_stage(out)
        resumed = two_stage(out, resume=True)
        assert resumed.labels.equals(unbroken.labels)
        assert (resumed.path / "model.safetensors").read_bytes() == (unbroken.path / "model.safetensors").read_bytes()


def test_labels_propagated_over_the_examples_themselves() -> None:
    """Two rings of points, one label each: a network's outputs, of the other order here, are not looked at."""
    generator = torch.Generator().manual_seed(0)
    ring_N = torch.arange(80) % 2
    angle_N = 2 * torch.pi * torch.rand(80, generator=generator)
    circle_N2 = torch.stack([angle_N.cos(), angle_N.sin()], dim=1)
    vectors_ND = torch.cat([circle_N2, (6 * ring_N[:, None] - 3).expand(80, 2)], dim=1)
    tools = Fixed(**{"class": F.one_hot(1 - ring_N, 2).float(), "feature": F.one_hot(1 - ring_N, 2).float()})
    tools.examples = lambda: vectors_ND
    given_N = torch.where(torch.arange(80) < 6, ring_N, -1)
    labels_N, certainty_N = by_propagation(tools, Seeds.hard(given_N, 2, torch.ones(80)), {})
    assert torch.equal(labels_N, ring_N)
    assert certainty_N[:6].eq(1).all()
    assert certainty_N.ge(0).all()
    assert certainty_N.le(1).all()


def test_a_network_learns_what_was_propagated(tmp_path) -> None:
    classes = np.arange(150) % 3
    vectors = (3 * np.eye(5)[classes] + np.random.default_rng(0).normal(size=(150, 5))).astype(np.float32)
    given = np.where(np.arange(150) < 12, classes, -1)
    run = labelprop.train(
        vectors, given, truth=classes, out=tmp_path / "run", report=False, recipe="propagated", epochs=20
    )
    found = run.metrics["unlabeled"]["accuracy"]
    assert found >= run.metrics["baseline"]["unlabeled"]
    assert abs(found - run.metrics["pseudo_labels"]["accuracy"]) < 0.05, "it deploys what it was taught"
    weights = RunFolder(run.path).read_table("pseudo_labels.parquet").to_pydict()
    assert weights["weight"] == weights["certainty"], "given rows weigh their trust, which is 1 here"
