from __future__ import annotations

import pytest
import torch

from labelprop.core.errors import RequestError
from labelprop.models.choose import choose_model, parse_model
from labelprop.models.network import ModelSpec, build


@pytest.mark.parametrize(
    ("modality", "shape", "device", "name"),
    [
        ("image", (1, 8, 8), "cpu", "small_cnn"),
        ("image", (3, 64, 64), "cpu", "small_cnn"),
        ("image", (3, 32, 32), "cuda", "conv13"),
        ("image", (3, 64, 64), "cuda:1", "preact_resnet18"),
        ("image", (3, 224, 224), "cpu", "resnet18"),
        ("image", (3, 4, 4), "cpu", "mlp"),
        ("vector", (384,), "cuda", "mlp"),
    ],
)
def test_choice_by_input_and_device(modality, shape, device, name):
    chosen, why = choose_model(modality, shape, torch.device(device))
    assert chosen == name
    assert why
    assert choose_model(modality, shape, device) == (chosen, why)
    with torch.device("meta"):
        build(ModelSpec(chosen, shape, {"class": 2}), seed=0)


def test_large_images_on_a_cpu_come_with_advice():
    assert "--backbone" in choose_model("image", (3, 224, 224), "cpu")[1]
    assert "--backbone" not in choose_model("image", (3, 224, 224), "cuda")[1]


def test_options_in_brackets() -> None:
    assert parse_model("small_cnn") == ("small_cnn", {})
    assert parse_model("preact_resnet18(width=16, stem=small)") == (
        "preact_resnet18",
        {"width": 16, "stem": "small"},
    )
    assert parse_model("conv13(weight_norm=true,dropout=0)") == ("conv13", {"weight_norm": True, "dropout": 0})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv13(width", "cannot be read"),
        ("conv13(width)", "is not option=value"),
        ("conv13(wdth=3)", "did you mean"),
        ("conv12", "did you mean"),
        ("conv13(width=wide)", "must be a"),
    ],
)
def test_models_that_cannot_be_meant(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=f"(?i){said}"):
        parse_model(text)
