"""Multi-layer perceptron for vectors and frozen embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.models.trunks.trunk import Trunk

Norm = Literal["batch", "layer"]


class Mlp(Trunk):
    """Vectors (B, D) to features (B, hidden[-1]); each layer is linear, norm, ReLU, dropout.

    Inputs of more dimensions, such as images, are flattened.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        *,
        hidden: Sequence[int] = (256, 128),
        norm: Norm = "batch",
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if not hidden or min(hidden) < 1:
            raise RequestError(f"hidden={tuple(hidden)}: give the size of one or more layers, e.g. (256, 128).")
        if norm not in get_args(Norm):
            raise RequestError(f"norm={norm!r} is not known; choose 'batch' or 'layer'.")
        layers: list[nn.Module] = [nn.Flatten()]
        inputs = int(torch.Size(input_shape).numel())
        for outputs in hidden:
            layers += [
                nn.Linear(inputs, outputs),
                nn.BatchNorm1d(outputs) if norm == "batch" else nn.LayerNorm(outputs),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.feature_dim = inputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        feature: torch.Tensor = self.layers(x)
        return feature
