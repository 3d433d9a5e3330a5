"""Photos through a frozen backbone: what cannot be decoded is found while it works, and accounted for as ever."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import pytest
import torch
from PIL import Image

import labelprop
from labelprop.core.errors import DataError
from labelprop.data.images.originals import EncodedImages
from labelprop.models.backbone import Backbone
from labelprop.runs.propagate import propagate
from labelprop.runs.requests import PropagateRequest

HUES = {"red": 0, "green": 1, "blue": 2}


class Colors:
    """Three numbers an image, its mean color; counts the images that it sees."""

    def __init__(self):
        self.seen = []

    def __call__(self, raw_B, device):
        self.seen += [raw_B.shape[1:]] * len(raw_B)
        return raw_B.float().mean((2, 3)) + 1

    @property
    def backbone(self):
        return Backbone("colors", "d" * 40, "image", self, image_shape=(3, 6, 6))


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Ten photos of each of three colors, of several sizes, two of each labeled by their folder."""
    monkeypatch.setenv("LABELPROP_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for hue, channel in HUES.items():
        for number in range(10):
            pixels = rng.integers(0, 60, (10 + number, 14, 3), dtype=np.uint8)
            pixels[..., channel] += 150
            folder = tmp_path / "photos" / (hue if number < 2 else "unlabeled")
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{hue}{number}.png"
            Image.fromarray(pixels).save(path)
            os.utime(path, (time.time() - 3600,) * 2)
    return tmp_path / "photos"


def damage(path):
    path.write_bytes(path.read_bytes()[:80])  # the header stays whole


def propagated(photos, out, backbone, **options):
    said = []
    reporter = type("Said", (), {"say": lambda _, text: said.append(text), "advance": lambda *_: None})()
    request = PropagateRequest(
        data=photos, out=out, backbone=backbone, reporter=reporter, method="weighted-knn", **options
    )
    propagate(request)
    return labelprop.load(out), said


def test_the_second_run_sees_nothing_anew_and_reads_next_to_nothing(photos, tmp_path, monkeypatch) -> None:
    colors = Colors()
    first, said = propagated(photos, tmp_path / "a", colors.backbone)
    assert colors.seen == [(3, 6, 6)] * 30
    assert "embedding 30 images with colors" in said
    assert not [*(tmp_path / "cache").glob("pixels*")]
    read, original = [], EncodedImages.keyed
    monkeypatch.setattr(EncodedImages, "keyed", lambda self, row: read.append(row) or original(self, row))
    second, _ = propagated(photos, tmp_path / "b", colors.backbone)
    assert len(colors.seen) == 30
    assert len(read) <= 10  # a few, to see that they are what they were
    assert second.labels.equals(first.labels)
    digests = [json.loads((run.path / "run.json").read_text())["data"] for run in (first, second)]
    assert digests[0] == digests[1]
    found = {row["id"]: row["label"] for row in first.labels.to_pylist()}
    assert all(label in name for name, label in found.items())


def test_what_cannot_be_decoded_is_left_out_and_said(photos, tmp_path) -> None:
    damage(photos / "unlabeled" / "red5.png")
    damage(photos / "green" / "green0.png")
    run, said = propagated(photos, tmp_path / "run", Colors().backbone)
    assert run.labels.num_rows == 28
    (skipped,) = [text for text in said if "skipped" in text]
    assert "2 .png files cannot be read, skipped (the file is truncated): 'green/green0.png'" in skipped
    assert any(
        text.startswith("warning: 1 label for examples that cannot be read: 'green/green0.png'") for text in said
    )
    assert "photos: 28 images, 5 labeled in 3 classes, 23 unlabeled" in said
    written = json.loads((run.path / "run.json").read_text())
    assert [one["id"] for one in written["skipped"]] == ["green/green0.png", "unlabeled/red5.png"]
    assert run.metrics["n"] == 28


def test_strict_refuses_it_and_a_class_that_is_lost_is_named(photos, tmp_path) -> None:
    damage(photos / "blue" / "blue0.png")
    with pytest.raises(DataError, match=r"1 \.png file cannot be read, refused .*'blue/blue0\.png'"):
        propagated(photos, tmp_path / "run", Colors().backbone, strict=True)
    damage(photos / "blue" / "blue1.png")
    run, said = propagated(photos, tmp_path / "run", Colors().backbone)
    assert any("class 'blue' is left out, since no example of it can be read" in text for text in said)
    assert run.metrics["classes"] == ["green", "red"]
    for path in photos.rglob("*.png"):
        damage(path)
    with pytest.raises(DataError, match="holds nothing that can be read"):
        propagated(photos, tmp_path / "none", Colors().backbone)


def test_where_all_labels_are_lost_that_is_the_error(photos, tmp_path) -> None:
    for path in photos.glob("[!u]*/*.png"):
        damage(path)
    with pytest.raises(DataError, match="no labeled example of 'photos' can be read"):
        propagated(photos, tmp_path / "run", Colors().backbone)


def test_wrong_labels_are_refused_before_any_picture_is_seen(photos, tmp_path) -> None:
    colors = Colors()
    with pytest.raises(DataError, match="not found in 'photos'"):
        propagated(photos, tmp_path / "run", colors.backbone, labels={"none.png": "red"})
    assert not colors.seen


def test_training_test_set_and_prediction_leave_out_the_same_way(photos, tmp_path) -> None:
    damage(photos / "unlabeled" / "red5.png")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten(), torch.nn.Linear(12, 8))
    run = labelprop.train(
        photos, out=tmp_path / "run", backbone=module, epochs=1, baselines=False, test=photos,
        settings={"batch_size": 12, "labeled_batch_size": 6, "n_neighbors": 5},
    )  # fmt: skip
    assert run.labels.num_rows == 29
    table = run.predict(photos, backbone=module)
    assert table.num_rows == 29
    assert "unlabeled/red5.png" not in table.column("id").to_pylist()
    chosen = run.select(photos, backbone=module, per_class=40, per_image=3)
    assert len(set(chosen.column("id").to_pylist())) == 29
    vectors = labelprop.embed(photos, backbone=module)
    assert vectors.shape == (29, 8)
