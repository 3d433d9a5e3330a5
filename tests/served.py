"""Examples for any recipe: vectors, or pictures of them for one that refuses vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

import labelprop
from labelprop.data.contents import TensorContent
from labelprop.methods.phases import Recipe
from labelprop.training import recipes

SIDE = 8


def takes_vectors(recipe: Recipe, dim: int) -> bool:
    return all(phase.refuses((dim,)) is None for phase in recipe.phases)


def pictures(vectors_ND: np.ndarray) -> np.ndarray:
    """One gray image a vector of at most 8 numbers, (N, 8, 8) uint8: a row of it each, brighter to the right."""
    rows_NH = np.zeros((len(vectors_ND), SIDE))
    rows_NH[:, : vectors_ND.shape[1]] = vectors_ND
    return np.clip(128 + 25 * rows_NH[:, :, None] * np.linspace(-0.5, 1.5, SIDE), 0, 255).astype(np.uint8)


def examples_for(name: str, vectors_ND: np.ndarray) -> np.ndarray:
    return vectors_ND if takes_vectors(recipes.build(name, {}), vectors_ND.shape[1]) else pictures(vectors_ND)


def content_for(recipe: Recipe, vectors_ND: torch.Tensor) -> tuple[TensorContent, str]:
    """The examples, and the name of a network for them."""
    if takes_vectors(recipe, vectors_ND.shape[1]):
        return TensorContent(vectors_ND, torch.float32), "mlp"
    images_NHW = torch.from_numpy(pictures(vectors_ND.numpy()))
    return TensorContent(images_NHW[:, None], torch.uint8), "small_cnn"


def start_for(name: str, examples: np.ndarray, y_N: np.ndarray, folder: Path) -> dict[str, Any]:
    """What a recipe is given beside its settings: a run to go on from, for one that needs it."""
    if name != "linear-readout":
        return {}
    quick = {"recipe": "supervised", "steps": 5, "settings": {"batch_size": 12}}
    return {"init": labelprop.train(examples, y_N, out=folder / "start", **quick).path}
