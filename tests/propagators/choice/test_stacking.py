"""Weights from hidden seeds: against other optimizers, a grid, and what a convex problem's optimum fulfils."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from labelprop.core.registry import HEADS
from labelprop.propagators.choice.candidates import SOFT_HEAD, Candidate
from labelprop.propagators.choice.evidence import Answer, gather
from labelprop.propagators.choice.stacking import stack, stacking_loss
from labelprop.propagators.choice.weighing import GRAPHS, LEAST, TABLE, heaviest_first, stacked_weights, table_weights

H, C = 60, 4


def problem(seed: int, noise: tuple[float, ...] = (0.7, 1.5, 6.0)) -> tuple[np.ndarray, np.ndarray]:
    """z-scores of members of which each is worse than the one before, and the labels."""
    rng = np.random.default_rng(seed)
    label_H = rng.integers(C, size=H)
    z_MHC = np.stack([np.eye(C)[label_H] + one * rng.normal(size=(H, C)) for one in noise])
    z_MHC -= z_MHC.mean(axis=2, keepdims=True)
    return z_MHC / z_MHC.std(axis=2, keepdims=True), label_H


def plain_loss(weights: np.ndarray, z: np.ndarray, label: np.ndarray, prior: np.ndarray, shrink: float) -> float:
    total = shrink / 2 * float(((weights - prior) ** 2).sum())
    for h, wanted in enumerate(label):
        scores = sum(w * z[m, h] for m, w in enumerate(weights))
        total -= float(scores[wanted] - np.log(np.exp(scores).sum()))
    return total


@pytest.mark.parametrize("shrink", [0.0, 5.0, 50.0])
def test_the_weights_are_the_optimum(shrink: float) -> None:
    z, label = problem(0)
    prior = np.array([0.1, 0.4, 0.5])
    found = stack(z, label, prior, shrink)
    arguments = (z, label, prior, shrink)
    wanted = minimize(plain_loss, [0.5] * 3, arguments, method="SLSQP", bounds=[(0, None)] * 3, tol=1e-12)
    np.testing.assert_allclose(found, wanted.x, atol=2e-3)
    least = plain_loss(found, *arguments)
    grid = itertools.product(np.linspace(0, 2, 9), repeat=3)
    assert least <= min(plain_loss(np.array(point), *arguments) for point in grid)


def test_the_gradient_is_that_of_the_loss() -> None:
    z, label = problem(1)
    at, prior = np.array([0.3, 0.8, 0.1]), np.array([0.2, 0.2, 0.2])
    value, gradient = stacking_loss(at, z, label, prior, 3.0)
    assert value == pytest.approx(plain_loss(at, z, label, prior, 3.0))
    for m in range(3):
        step = 1e-6 * np.eye(3)[m]
        slope = (plain_loss(at + step, z, label, prior, 3.0) - plain_loss(at - step, z, label, prior, 3.0)) / 2e-6
        assert gradient[m] == pytest.approx(slope, rel=1e-5)


def test_without_evidence_or_under_a_strong_prior_the_table_stands() -> None:
    z, label = problem(2)
    prior = np.array([0.0, 0.7, 0.3])
    np.testing.assert_allclose(stack(z[:, :0], label[:0], prior, 5.0), prior, atol=1e-6)
    np.testing.assert_allclose(stack(z, label, prior, 1e7), prior, atol=1e-4)


def answers_of(seed: int) -> dict[Candidate, Answer]:
    z, label = problem(seed, (0.6, 0.8, 40.0))
    names = [Candidate("a"), Candidate("b"), Candidate("c")]
    return {name: Answer(one, np.ones(H, bool), label) for name, one in zip(names, z, strict=True)}


def test_members_of_little_weight_are_dropped_and_the_others_weighed_again() -> None:
    answers = answers_of(3)
    weights = stacked_weights(answers, {Candidate("a"): 1.0})
    assert Candidate("c") not in weights
    assert min(weights.values()) >= LEAST * sum(weights.values())
    assert list(weights.values()) == sorted(weights.values(), reverse=True)
    kept = {one: answers[one] for one in answers if one in weights}
    assert stacked_weights(kept, {Candidate("a"): 1.0}) == weights


def test_where_guessing_is_as_good_the_table_stands_and_is_unsure() -> None:
    z, label = problem(5)
    wrong = {Candidate(name): Answer(-one, np.ones(H, bool), label) for name, one in zip("abc", z, strict=True)}
    prior = {Candidate("a"): 1.0, Candidate("b"): 0.6}
    assert stacked_weights(wrong, prior) == pytest.approx({one: LEAST * weight for one, weight in prior.items()})
    assert stacked_weights(wrong, {}) == {Candidate("a"): LEAST}


def test_one_that_is_right_where_others_guess_stands_alone() -> None:
    z, label = problem(4, (0.05, 60.0, 60.0))
    names = [Candidate("a"), Candidate("b"), Candidate("c")]
    answers = {name: Answer(one, np.ones(H, bool), label) for name, one in zip(names, z, strict=True)}
    assert list(stacked_weights(answers, {Candidate("a"): 2.0})) == [Candidate("a")]


def test_unreached_seeds_are_wrong_and_cost_what_a_guess_costs() -> None:
    answer = Answer(np.zeros((3, C)), np.zeros(3, bool), np.array([0, 1, 2]))
    assert (answer.right, answer.loss) == (0, pytest.approx(np.log(C)))


def test_all_are_asked_once_and_the_preferred_and_the_best_go_on() -> None:
    rng = np.random.default_rng(0)
    names, asked, forgotten = "abcdefghij", [], []

    def ask(name: str, fold: int) -> Answer:
        asked.append((name, fold))
        label_H = np.arange(C)
        own = np.eye(C) if name < "f" else -np.eye(C)
        return Answer(own + 0.01 * rng.normal(size=(C, C)), np.ones(C, bool), label_H)

    answers = gather(names, ["h", "j"], 3, ask, forgotten.append)
    assert len(answers) == 6
    assert {"h", "j"} < set(answers)
    assert set(answers) - {"h", "j"} < set("abcde")
    assert set(forgotten) == set(names) - set(answers)
    assert all(len(answer.label_H) == 3 * C for answer in answers.values())
    assert len(asked) == 10 + 2 * 6
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("labels", TABLE)
def test_the_table_has_a_row_for_what_is_measured_and_no_member_too_light(labels: int) -> None:
    every = [Candidate(name, k) for name, k in itertools.product([*HEADS, *GRAPHS], (20, 10))]
    row = {Candidate(name, 20): weight for name, weight in TABLE[labels].items()}
    assert len(heaviest_first(row)) == len(row)
    assert table_weights(every, labels) == pytest.approx(row)
    alone = table_weights([one for one in every if one.method == "label-propagation"], labels)
    assert list(alone) == [Candidate("label-propagation", 20)]
    graphs = table_weights([one for one in every if one.method in GRAPHS], labels)
    assert graphs == pytest.approx({Candidate(name, 20): weight for name, weight in GRAPHS.items()})
    with_head = table_weights([Candidate("label-propagation", 20), Candidate(SOFT_HEAD)], labels)
    assert sum(with_head.values()) == pytest.approx(sum(row.values())), "as sure as all"
