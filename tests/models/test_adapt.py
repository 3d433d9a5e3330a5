"""A user's module and HuggingFace models (tiny, random weights, made from a config) as trunks."""

from __future__ import annotations

import json
import sys

import pytest
import torch
from torch import nn

from labelprop.core.errors import RequestError
from labelprop.models.adapt import adapt
from labelprop.models.network import Network
from labelprop.models.trunks.hf import ImageConfig, load_hf
from labelprop.models.trunks.modes import evaluating
from tiny_models import save_tiny_resnet, save_tiny_vit

transformers = pytest.importorskip("transformers")


class Classifier(nn.Module):
    """Ends with class scores, as torchvision's networks do."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        return self.fc(self.body(x))


@pytest.fixture
def tiny_resnet(tmp_path):
    return save_tiny_resnet(tmp_path)


@pytest.fixture
def tiny_vit(tmp_path):
    return save_tiny_vit(tmp_path)


def test_module_is_taken_as_it_is_and_its_feature_measured():
    module = Classifier()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    trunk = adapt(module, (3, 9, 9))
    assert trunk.feature_dim == 5
    assert module.training
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, before[name]), f"the dry run changed {name}"


def test_named_part_is_dropped():
    trunk = adapt(Classifier(), (3, 9, 9), drop="fc")
    assert trunk.feature_dim == 6
    network = Network(trunk, {"class": 4, "embedding": 8})
    outputs = network(torch.randn(2, 3, 9, 9))
    assert outputs["class"].shape == (2, 4)
    assert not any(name.endswith("fc.weight") for name in network.state_dict())


def test_maps_are_averaged():
    trunk = adapt(nn.Conv2d(3, 7, 3), (3, 9, 9))
    assert trunk.feature_dim == 7
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(trunk(x), trunk.module(x).mean((2, 3)))


def test_unusable_modules_are_refused():
    with pytest.raises(RequestError, match=r"no part named 'head' to drop; its last parts are: body, fc"):
        adapt(Classifier(), (3, 9, 9), drop="head")
    with pytest.raises(RequestError, match=r"shape \(6, 9, 9\) for 2 examples"):
        adapt(nn.Flatten(0, 1), (3, 9, 9))
    with pytest.raises(RequestError, match="returns tuple; it must return a tensor"):
        adapt(nn.LSTM(4, 4), (4,))


def test_resnet_from_a_folder(tiny_resnet):
    trunk = adapt(tiny_resnet, (3, 24, 24))
    assert trunk.feature_dim == 12
    assert trunk.image_config == ImageConfig((32, 32), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    network = Network(trunk, {"class": 3})
    network(torch.randn(2, 1, 24, 24))["class"].sum().backward()
    assert all(parameter.grad is not None for parameter in trunk.parameters())
    reference = transformers.ResNetModel.from_pretrained(tiny_resnet).eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(trunk.eval()(x), reference(x).pooler_output.flatten(1))


def test_vit_gives_its_class_token_at_its_own_size(tiny_vit):
    trunk = adapt(str(tiny_vit), (3, 24, 24)).eval()
    assert trunk.feature_dim == 16
    assert trunk.image_config.size == (16, 16)
    reference = transformers.ViTModel.from_pretrained(tiny_vit).eval()
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(trunk(x), reference(x).last_hidden_state[:, 0])
        assert trunk(torch.randn(2, 3, 24, 24)).shape == (2, 16)
    assert not any("pooler" in name for name, _ in trunk.named_parameters())


def test_images_are_prepared_as_the_folder_says():
    config = ImageConfig((8, 8), (0.5, 0.5, 0.5), (0.25, 0.5, 1.0))
    prepared = config.prepare(torch.full((2, 1, 4, 4), 255, dtype=torch.uint8))
    assert prepared.shape == (2, 3, 8, 8)
    torch.testing.assert_close(prepared[0, :, 0, 0], torch.tensor([2.0, 1.0, 0.5]))


@pytest.mark.parametrize(
    ("settings", "size", "mean"),
    [
        ({"size": 20}, (20, 20), 0.485),
        ({"size": {"height": 20, "width": 30}}, (20, 30), 0.485),
        ({"size": {"shortest_edge": 20}, "do_normalize": False}, (20, 20), 0.0),
        ({"image_mean": [0.7, 0.7, 0.7], "image_std": [1, 1, 1]}, (224, 224), 0.7),
    ],
)
def test_forms_of_preprocessor_config(tiny_resnet, settings, size, mean):
    (tiny_resnet / "preprocessor_config.json").write_text(json.dumps(settings))
    read = load_hf(tiny_resnet).image_config
    assert read.size == size
    assert read.mean[0] == mean


def test_missing_folder_and_wrong_uses_are_refused(tmp_path, tiny_vit):
    with pytest.raises(RequestError, match="no such folder; give a HuggingFace model's folder or name"):
        adapt(tmp_path / "nowhere", (3, 8, 8))
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="cannot be loaded"):
        adapt(tmp_path / "empty", (3, 8, 8))
    with pytest.raises(RequestError, match="is an image model, but the input has shape"):
        adapt(tiny_vit, (8,))
    with pytest.raises(RequestError, match="loaded without its head"):
        adapt(tiny_vit, (3, 16, 16), drop="fc")


def test_models_of_text_and_images_are_refused(tmp_path):
    transformers.CLIPConfig().save_pretrained(tmp_path)
    with pytest.raises(RequestError, match="is a 'clip' model, neither an image nor a text model"):
        load_hf(tmp_path)


def test_missing_extra_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RequestError, match=r"pip install 'labelprop\[hf\]'"):
        load_hf("some/model")


def test_evaluating_gives_each_part_its_mode_back():
    module = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)).train()
    module[1].eval()
    with evaluating(module):
        assert not any(part.training for part in module.modules())
    assert [part.training for part in module.modules()] == [True, True, False]


def test_a_checkpoint_without_all_its_weights_is_refused(tiny_vit):
    from safetensors.torch import load_file, save_file

    weights = load_file(tiny_vit / "model.safetensors")
    lost = next(name for name in weights if "q" in name and name.endswith("weight"))
    del weights[lost]
    save_file(weights, tiny_vit / "model.safetensors", {"format": "pt"})
    with pytest.raises(RequestError, match=r"lacks 1 weight\b"):
        load_hf(tiny_vit)
