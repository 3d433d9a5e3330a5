"""A row of a paper's table: data, network, labels, phases, and the number that was published."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, Literal

from labelprop.methods.phases import Recipe

Measure = Literal["top-1 error", "top-5 error", "top-1 accuracy", "top-5 accuracy"]


def as_printed(name: str) -> dict[str, Any]:
    """A section of published.toml; counts and percents are whole numbers, mean and deviation a pair."""
    text = files(__package__).joinpath("published.toml").read_text(encoding="utf-8")
    section: dict[str, Any] = _with_counts(tomllib.loads(text)[name])
    return section


def _with_counts(value: Any) -> Any:
    if isinstance(value, dict):
        return {int(key) if key.isdigit() else key: _with_counts(part) for key, part in value.items()}
    return tuple(map(_with_counts, value)) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A number as printed, in percent; `std` where the paper gives one."""

    table: str
    value: float
    std: float | None = None
    remark: str = ""

    def __str__(self) -> str:
        spread = "" if self.std is None else f" ± {self.std:.2f}"
        return f"{self.value:.2f}{spread}" + (f" ({self.remark})" if self.remark else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One row of a table, ready to be trained; `epochs` are those of the recipe's main phase.

    Labels are counted in all (`labels`) or in percent of the images (`percent`); `unlabeled_percent` of the images
    are used at all, labeled ones included. `network` and `augment` are what `--model` and `--augment` take.
    `published` is None where the paper has no such cell.
    """

    name: str
    method: str  # as printed
    data: str
    labels: int | None = None
    percent: int | None = None
    unlabeled_percent: int = 100
    network: str
    augment: str
    recipe: Recipe
    epochs: int
    measure: Measure
    published: Published | None = None

    @property
    def where(self) -> str:
        """The cell of the table: data, labels, and the share of the images where it is not all."""
        if self.labels is not None:
            return f"{self.data}, {self.labels} labels"
        return f"{self.data}, p = {self.percent}, q = {self.unlabeled_percent}"


def with_first_share(recipe: Recipe, share: float) -> Recipe:
    """The recipe with a first phase of this length, in units of the main one."""
    first, *others = recipe.phases
    return replace(recipe, phases=(replace(first, share=share), *others))
