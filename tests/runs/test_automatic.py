"""What is embedded by which backbone where the request does not say."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.progress import Silent
from labelprop.data.images.look import Look
from labelprop.models.backbone import load_backbone
from labelprop.report.gather.finished_run import read_run
from labelprop.runs import automatic
from labelprop.runs.requests import TrainRequest

PHOTOS, MIXTURE = Look(100, 0, 0), Look(100, 30, 10)
OTHERS = Look(100, 100, 0), Look(100, 0, 100), Look(100, 30, 30), Look(0, 0, 0)
SHORT = {"recipe": "supervised", "steps": 20, "baselines": False, "seed": 0}


class Said(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def request(**options) -> TrainRequest:
    return TrainRequest(data="photos", out="runs/x", **options)


@pytest.mark.parametrize("look", [PHOTOS, MIXTURE])
@pytest.mark.parametrize(("device", "side"), [("cpu", 160), ("cuda", 224)])
def test_photographs_are_read_as_photos_wants_them(look, device, side) -> None:
    found = automatic.read_as(request(), torch.device(device))(look)
    assert found.format.shape == (3, side, side)


@pytest.mark.parametrize("look", OTHERS)
def test_other_images_keep_their_format(look) -> None:
    assert automatic.read_as(request(), torch.device("cpu"))(look) is None


@pytest.mark.parametrize(("asked", "side"), [(96, 96), (100, 96), (40, 32), (20, 32), (250, 256)])
def test_a_size_is_brought_to_one_that_photos_takes(asked, side) -> None:
    found = automatic.read_as(request(image_size=asked), torch.device("cpu"))(PHOTOS)
    assert found.format.shape == (3, side, side)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "small_cnn"},
        {"model": "mlp"},
        {"model": torch.nn.Flatten()},
        {"augment": "shift+flip"},
        {"augment": "crop+color+flip"},
        {"recipe": "s4l-rotation"},
        {"recipe": "s4l-exemplar"},
        {"init": "runs/other"},
    ],
)
def test_what_needs_pixels_gets_them(options) -> None:
    assert automatic.asks_for_pixels(request(**options))
    assert automatic.read_as(request(**options), torch.device("cpu"))(PHOTOS) is None


@pytest.mark.parametrize(
    "options", [{}, {"recipe": "auto"}, {"recipe": "fixmatch"}, {"augment": "noise"}, {"augment": "strong"}]
)
def test_what_takes_vectors_leaves_the_choice_open(options) -> None:
    assert automatic.asks_for_pixels(request(**options)) is None


def pictures(n: int, side: int, channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stripes along one side or the other, in noise."""
    rng = np.random.default_rng(seed)
    codes_N = np.arange(n) % 2
    stripes = 120 * (np.arange(side) // 4 % 2)
    noise = rng.integers(0, 120, (n, side, side, channels))
    images = noise + np.where(codes_N[:, None, None], stripes[None, :, None], stripes[None, None, :])[..., None]
    images = images.astype(np.uint8)
    return (images[..., 0] if channels == 1 else images), codes_N


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    base = tmp_path_factory.mktemp("photos")
    images, codes_N = pictures(40, 36, 3)
    (base / "photos").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(base / "photos" / f"{number:02d}.png")
    Image.fromarray(images[0]).convert("L").resize((50, 70)).save(base / "photos" / "gray.png")
    labels = {f"{number:02d}.png": str(code) for number, code in enumerate(codes_N[:20])}
    said = Said()
    run = labelprop.train(
        base / "photos", labels=labels, out=base / "run", image_size=32, reporter=said, **{**SHORT, "steps": 60}
    )
    return base, run, said.lines, codes_N


def test_a_folder_of_photographs_is_seen_by_photos_and_that_is_said_and_kept(trained) -> None:
    _, run, said, codes_N = trained
    (line,) = [line for line in said if "photos" in line and "40 of 41" in line]
    assert "--model small_cnn" in line
    kept = json.loads((run.path / "run.json").read_text())
    model = json.loads((run.path / "model.json").read_text())
    assert kept["chosen"]["backbone"] == line
    assert kept["model"]["name"] == model["architecture"]["name"] == "mlp"
    assert (model["backbone"]["name"], model["backbone"]["digest"]) == (
        "photos",
        load_backbone("photos", image_size=32).digest,
    )
    found = run.labels["label"].to_pylist()[20:40]
    assert np.mean([int(label) == code for label, code in zip(found, codes_N[20:], strict=True)]) > 0.9


def test_its_page_knows_that_a_pretrained_network_has_seen_the_images(trained) -> None:
    assert read_run(trained[1].path).backbone


def test_its_run_predicts_from_wherever_it_is_read(trained, tmp_path, monkeypatch) -> None:
    base, run, _, _ = trained
    moved = tmp_path / "moved"
    shutil.copytree(run.path, moved)
    (tmp_path / "photos").mkdir()  # a folder of that name is not the backbone
    monkeypatch.chdir(tmp_path)
    predicted = labelprop.load("moved").predict(base / "photos")
    own = run.labels.to_pylist()
    again = predicted.to_pylist()
    assert [row["label"] for row in again if row["id"] > "19"] == [row["label"] for row in own if row["id"] > "19"]
    assert labelprop.load("moved").embed(base / "photos").shape == (41, 128)


def test_arrays_in_color_are_photographs_too_unless_a_network_is_named(tmp_path) -> None:
    images, codes_N = pictures(24, 32, 3)
    labels = np.where(np.arange(24) < 12, codes_N, -1)
    seen = labelprop.train(images, labels=labels, out=tmp_path / "a", image_size=32, **SHORT)
    own = labelprop.train(images, labels=labels, out=tmp_path / "b", model="small_cnn", **SHORT)
    assert json.loads((seen.path / "model.json").read_text())["backbone"]["name"] == "photos"
    described = json.loads((own.path / "model.json").read_text())
    assert (described["backbone"], described["architecture"]["name"]) == (None, "small_cnn")
    assert labelprop.load(own.path).predict(images).num_rows == 24


@pytest.mark.parametrize(("side", "channels"), [(32, 1), (16, 3)])
def test_gray_or_small_images_get_a_network_of_their_own_and_the_way_to_the_other_is_said(
    side, channels, tmp_path
) -> None:
    images, codes_N = pictures(24, side, channels)
    said = Said()
    labels = np.where(np.arange(24) < 12, codes_N, -1)
    run = labelprop.train(images, labels=labels, out=tmp_path / "a", reporter=said, **SHORT)
    kept = json.loads((run.path / "run.json").read_text())
    assert (kept["backbone"], kept["model"]["name"]) == (None, "small_cnn")
    assert any(line.startswith("model: small_cnn") and "--backbone photos" in line for line in said.lines)


def test_propagation_compares_pixels_and_says_of_photographs_what_else_there_is(tmp_path) -> None:
    for number, (side, channels, is_said) in enumerate([(32, 3, True), (32, 1, False), (16, 3, False)]):
        images, codes_N = pictures(24, side, channels)
        said = Said()
        labels = np.where(np.arange(24) < 12, codes_N, -1)
        out = tmp_path / str(number)
        labelprop.propagate(
            images, labels, out=out, method="diffusion", parameters={"n_neighbors": 5}, baselines=False, reporter=said
        )
        assert any("--backbone photos" in line for line in said.lines) is is_said
        assert json.loads((out / "run.json").read_text())["backbone"] is None


def test_images_of_several_sizes_are_refused_with_the_backbone_first(trained, tmp_path) -> None:
    base, _, _, _ = trained
    with pytest.raises(RequestError, match=r"backbone='photos' .*image_size=32"):
        labelprop.propagate(base / "photos", labels={"00.png": "0", "01.png": "1"}, out=tmp_path / "no")


@pytest.mark.parametrize(("installed", "name"), [(True, "text"), (False, "tf-idf")])
def test_texts_are_seen_by_the_model_that_is_installed(installed, name, monkeypatch) -> None:
    monkeypatch.setattr(automatic, "_has_text", lambda: installed)
    choice = automatic.choose_for_texts()
    assert choice.backbone == name
    assert choice.why


@pytest.mark.parametrize(("recipe", "views"), [("mean-teacher", "mix"), ("dlp", "none")])
def test_a_backbones_vectors_are_mixed_where_the_recipe_compares_views(recipe, views, tmp_path) -> None:
    images, codes_N = pictures(24, 8, 1)
    options = {**SHORT, "recipe": recipe, "steps": 2, "labels": np.where(np.arange(24) < 12, codes_N, -1)}
    options["settings"] = {"n_neighbors": 5} if recipe == "dlp" else {}
    embedded = labelprop.train(images, out=tmp_path / "a", backbone=flat, **options)
    assert json.loads((embedded.path / "run.json").read_text())["augment"] == views
    given = labelprop.train(flat(torch.from_numpy(images)).numpy(), out=tmp_path / "b", **options)
    assert json.loads((given.path / "run.json").read_text())["augment"] == "none"


def flat(images_B: torch.Tensor) -> torch.Tensor:
    return images_B.reshape(len(images_B), -1).float()
