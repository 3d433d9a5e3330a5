"""Recipes followed by a rate jump: the learning rate raised again after its last drop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labelprop.functional.schedule import two_drops
from labelprop.methods.phases import Recipe
from labelprop.training.recipes.embedding import llp
from labelprop.training.recipes.labels import supervised
from labelprop.training.recipes.teacher import mean_teacher

JUMP_SHARE = 1 / 4  # of the main phase: the length of a rate jump after it
JUMP = 0.1  # of the peak rate: 0.003 after 0.03


def llp_rj(**settings: Any) -> Recipe:
    """`llp`, and a rate jump after it."""
    return with_rate_jump(llp(**settings))


def supervised_rj(**settings: Any) -> Recipe:
    """`supervised`, and a rate jump after it: the control of `llp+rj`."""
    return with_rate_jump(supervised(**settings))


def mean_teacher_rj(**settings: Any) -> Recipe:
    """`mean-teacher`, and a rate jump after it: the control of `llp+rj`."""
    return with_rate_jump(mean_teacher(**settings), goes_on=mean_teacher(**settings | {"ramp_up": 0}))


def with_rate_jump(recipe: Recipe, share: float = JUMP_SHARE, goes_on: Recipe | None = None) -> Recipe:
    """The recipe with one more phase of its main method, at a rate raised again after the last drop.

    `goes_on` gives the added phase's method, where the main one would ramp a weight up again.
    """
    jump = replace(
        recipe.main,
        name="rate jump",
        method=(goes_on or recipe).main.method,
        share=share,
        optimizer=replace(recipe.main.optimizer, lr=JUMP * recipe.main.optimizer.lr),
        schedule=two_drops,
        keep_optimizer=True,
        keep_state=True,
    )
    return replace(recipe, name=f"{recipe.name}+rj", phases=(*recipe.phases, jump))
