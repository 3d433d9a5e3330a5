"""`doctor` says what a training and a propagation would do, and warns of what matters to that alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.progress import Silent
from labelprop.runs.doctor import examine
from labelprop.runs.requests import DoctorRequest

SHORT = {"recipe": "supervised", "steps": 2, "baselines": False, "seed": 0}


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def examined(data, **options) -> dict[str, str]:
    """The severity of each finding."""
    return {finding.text: finding.severity for finding in examine(DoctorRequest(data=data, **options))}


def said_of(findings: dict[str, str], verb: str) -> list[str]:
    begins = f"`labelprop {verb}`"
    return [text.removeprefix(begins).removeprefix(": ") for text in findings if text.startswith(begins)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Colors of several sizes, one of them damaged behind its header."""
    rng, folder = np.random.default_rng(0), tmp_path / "photos"
    folder.mkdir()
    for number, (width, height) in enumerate([(300, 200), (200, 300), (500, 375), (64, 80), (1200, 900), (120, 90)]):
        pixels = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    whole = (folder / "0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def test_of_photos_the_sentence_of_a_training_and_no_size_it_will_not_see(photos: Path, tmp_path: Path) -> None:
    found, said = examined(photos, cache=tmp_path / "cache"), Said()
    labels = {"0.jpg": "a", "1.jpg": "a", "2.jpg": "b", "3.jpg": "b"}
    labelprop.train(photos, labels=labels, out=tmp_path / "a", reporter=said, cache=tmp_path / "cache", **SHORT)
    (sentence,) = said_of(found, "train")
    assert sentence in said.lines
    assert "photos" in sentence
    assert any("(64x80 to 1200x900) pixels, color" in text for text in found), "what there is, not what is seen"
    warned = [text for text, severity in found.items() if severity == "warning"]
    assert len(warned) == 1, warned
    assert "'cut.jpg'" in warned[0]
    (refused,) = said_of(found, "propagate")
    with pytest.raises(RequestError, match="backbone='photos'"):
        labelprop.propagate(photos, labels=labels, out=tmp_path / "b")
    assert "--backbone photos" in refused


def test_of_photos_what_the_crop_or_the_enlargement_would_spoil(photos: Path) -> None:
    for name, size in (("dot.png", (9, 9)), ("strip.png", (900, 200))):
        Image.new("RGB", size, "red").save(photos / name)
    warned = [text for text, severity in examined(photos).items() if severity == "warning"]
    assert [("dot.png" in text, "strip.png" in text) for text in warned if "160x160" in text] == [
        (True, False),
        (False, True),
    ]


@pytest.mark.parametrize(("side", "channels", "asked"), [(28, 1, None), (16, 3, None), (32, 3, 16)])
def test_of_gray_or_small_images_the_network_of_their_own(side, channels, asked, tmp_path: Path) -> None:
    shape = (12, side, side) if channels == 1 else (12, side, side, 3)
    images = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    found, said = examined(images, image_size=asked), Said()
    labels = np.where(np.arange(12) < 8, np.arange(12) % 2, -1)
    labelprop.train(images, labels=labels, out=tmp_path / "a", reporter=said, image_size=asked, **SHORT)
    (sentence,) = said_of(found, "train")
    assert sentence in said.lines
    assert sentence.startswith("model: small_cnn")
    assert f"{side}x{side} pixels, {'gray' if channels == 1 else 'color'}" in " ".join(found)


def test_of_vectors_and_texts(tmp_path: Path) -> None:
    assert said_of(examined(np.eye(12, 7, dtype=np.float32)), "train") == ["model: mlp (vectors of 7 dimensions)"]
    (tmp_path / "t.csv").write_text("id,text\n0,one\n1,two\n2,three\n")
    (sentence,) = said_of(examined(tmp_path / "t.csv"), "train")
    assert "texts are seen" in sentence
