"""HuggingFace image models with random weights, small enough for a test, saved as a user has them."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def save_tiny_vit(folder: Path, image_size: int = 16) -> Path:
    import transformers

    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=image_size,
        patch_size=image_size // 2,
    )
    torch.manual_seed(0)
    transformers.ViTModel(config).save_pretrained(folder)
    return folder


def save_tiny_resnet(folder: Path) -> Path:
    """It was trained on the central 32 pixels of images whose shorter edge has 40."""
    import transformers

    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic", num_channels=3
    )
    torch.manual_seed(0)
    transformers.ResNetModel(config).save_pretrained(folder)
    settings = {"size": {"shortest_edge": 40}, "crop_size": 32, "do_center_crop": True}
    settings |= {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
