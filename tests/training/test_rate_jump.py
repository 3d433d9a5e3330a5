"""The phase after the last drop: what it raises again, and what it leaves as it was."""

from __future__ import annotations

import torch

from labelprop.core.types import Batch, Progress, Stream, Task
from labelprop.models.network import ModelSpec, build
from labelprop.training.recipes.rate_jump import JUMP, mean_teacher_rj
from labelprop.training.recipes.teacher import mean_teacher


def consistency_weight(phase) -> float:
    """At the first step of a phase of five epochs."""
    net = build(ModelSpec("mlp", (6,), {"class": 3, "consistency": 3}), seed=0)
    method = phase.new_method()
    method.setup(net, Task(torch.tensor([0, 1, 2, -1]), torch.ones(4), 3, seed=0))
    views = (torch.randn(4, 6), torch.randn(4, 6))
    given = Stream(torch.arange(3), ())
    labels = {"labels_B": torch.arange(3), "trust_B": torch.ones(3)}
    batch = Batch(joint=Stream(torch.arange(4), views), labeled=given, unlabeled=None, **labels)
    weights = method.loss(net, batch, Progress(0, 50, 0, 10)).weights
    return next(value for name, value in weights.items() if "consistency" in name)


def test_consistency_does_not_rise_a_second_time() -> None:
    main, jump = mean_teacher_rj(ramp_up=5, weight=7.0).phases
    assert consistency_weight(main) < 0.1
    assert consistency_weight(jump) == 7.0
    assert jump.optimizer.lr == JUMP * main.optimizer.lr
    assert jump.keep_state
    assert mean_teacher().main.steps(100) == main.steps(100)
