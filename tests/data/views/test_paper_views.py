"""Views of the papers' protocols on mini-ImageNet and ImageNet, against Pillow, NumPy and colorsys."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch.nn import functional as F

from labelprop.data.views import color as colors
from labelprop.data.views import geometric
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import Views, preprocessing_for


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(batch: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8, generator=generator(3))


def smooth(batch: int, size: int) -> torch.Tensor:
    """Float pictures whose pixels tell where they are, without an edge: resampling rules agree on them."""
    coarse = torch.rand(batch, 3, 5, 5, generator=generator(4)) * 255
    return F.interpolate(coarse, size=(size, size), mode="bicubic").clamp(0, 255)


def levels(value: float, batch: int) -> torch.Tensor:
    return torch.full((batch, 1, 1, 1), value)


def through_pillow(images: torch.Tensor, function) -> torch.Tensor:
    made = [function(Image.fromarray(one.permute(1, 2, 0).numpy())) for one in images]
    return torch.stack([torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in made]).float()


# --- mini-ImageNet ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [False, True])
def test_padded_crop_gives_exactly_the_windows_of_the_framed_image(flip: bool) -> None:
    image = pictures(1, 21, 42)
    framed = np.pad(image[0].numpy(), ((0, 0), (2, 2), (4, 4)))
    windows = [framed[:, y : y + 21, x : x + 42] for y in range(5) for x in range(9)]
    windows += [one[:, :, ::-1] for one in windows if flip]
    drawn = geometric.padded_crop(image.expand(2000, -1, -1, -1), generator(), flip=flip)
    assert {one.numpy().tobytes() for one in drawn} == {np.ascontiguousarray(one).tobytes() for one in windows}


def test_the_frame_is_8_pixels_at_84() -> None:
    white = torch.full((4000, 1, 84, 84), 255, dtype=torch.uint8)
    drawn = geometric.padded_crop(white, generator(), flip=False)
    black_rows = (drawn[:, 0, :, 42] == 0).sum(1)
    assert (int(black_rows.min()), int(black_rows.max())) == (0, 8)


@pytest.mark.parametrize("degrees", [-10.0, 3.5, 10.0])
def test_rotation_is_pillows(degrees: float) -> None:
    images = pictures(2, 84, 60)
    angle_B = torch.deg2rad(torch.full((2,), degrees))
    made = geometric.affine(images.float(), geometric.rotation(angle_B, 84, 60), mode="nearest", padding_mode="zeros")
    expected = through_pillow(images, lambda one: one.rotate(degrees, Image.Resampling.NEAREST))
    assert (made == expected).float().mean() > 0.99, "but for ties of the nearest pixel"


def test_turns_are_uniform_in_plus_minus_ten_degrees() -> None:
    bar = torch.zeros(1, 1, 101, 101)
    bar[..., 50, 50:] = 255
    made = geometric.turned(bar.expand(500, -1, -1, -1), generator(), degrees=10)
    rows = torch.stack([one[0, :, 90].nonzero().float().mean() for one in made])
    angles = torch.rad2deg(torch.atan((50 - rows) / 40))
    assert -10.9 < float(angles.min()) < -9
    assert 9 < float(angles.max()) < 10.9
    assert abs(float(angles.mean())) < 1
    assert float(angles.std()) == pytest.approx(20 / 12**0.5, abs=0.5)


# --- ImageNet ---------------------------------------------------------------------------------------------


def test_boxes_are_drawn_as_the_papers_draw_them() -> None:
    top, left, high, wide = geometric.crop_boxes(20_000, 256, 256, generator()).unbind(1)
    area, ratio = high * wide / 256**2, (wide / high).log()
    assert 0.19 < float(area.min()) < 0.21
    assert float(area.max()) <= 1
    assert float((wide / high).max()) == pytest.approx(4 / 3, abs=0.03)
    assert float((wide / high).min()) == pytest.approx(3 / 4, abs=0.03)
    assert abs(float(ratio.mean())) < 0.01
    small = area < 0.5  # where every ratio fits, the area is uniform
    assert float(area[small].mean()) == pytest.approx(0.35, abs=0.01)
    for start, size in ((top, high), (left, wide)):
        assert float(start.min()) == 0
        assert float((start + size).max()) == 256
        assert torch.equal(start, start.round())


def test_a_box_that_never_fits_is_the_whole_image() -> None:
    boxes = geometric.crop_boxes(50, 10, 300, generator())
    assert (boxes[:, 2] <= 10).all()
    assert (boxes == torch.tensor([0.0, 0, 10, 300])).all(1).any()


@pytest.mark.parametrize("flip", [False, True])
def test_resized_crop_is_pillows_resize_of_the_box(monkeypatch: pytest.MonkeyPatch, flip: bool) -> None:
    images, box = smooth(64, 64), (6, 20, 30, 36)  # top, left, height, width
    monkeypatch.setattr(geometric, "crop_boxes", lambda batch, *_: torch.tensor([box] * batch).float())
    made = geometric.resized_crop(images, (40, 48), generator(), flip=flip)
    top, left, high, wide = box
    for image, found in zip(images.round().to(torch.uint8), made, strict=True):
        resized = Image.fromarray(image.permute(1, 2, 0).numpy()).resize(
            (48, 40), Image.Resampling.BILINEAR, box=(left, top, left + wide, top + high)
        )
        expected = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float()
        mirrored = expected.flip(2)
        gaps = [float((found - one)[:, 2:-2, 2:-2].abs().max()) for one in (expected, mirrored)]
        assert min(gaps) < 2.5, "inside; at its edge a box also sees the pixels beyond it"
        assert flip or gaps[0] == min(gaps)
    if flip:
        assert not torch.equal(made, geometric.resized_crop(images, (40, 48), generator(), flip=False))


@pytest.mark.parametrize(
    ("name", "enhancer"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("level", [-0.4, 0.25])
def test_changes_of_color_are_pillows_up_to_rounding(name: str, enhancer, level: float) -> None:
    images = pictures(3, 20, 24)
    expected = through_pillow(images, lambda one: enhancer(one).enhance(1 + level))
    made = getattr(colors, name)(images.float(), levels(level, 3))
    assert (made - expected).abs().max() <= 1.5


@pytest.mark.parametrize("level", [-0.4, 0.0, 0.25])
def test_hue_is_that_of_colorsys(level: float) -> None:
    images = pictures(1, 12, 12)
    images[..., 0] = 77  # gray pixels have no hue
    made = colors.hue(images.float(), levels(level, 1))[0].permute(1, 2, 0).reshape(-1, 3)
    for pixel, found in zip(images[0].permute(1, 2, 0).reshape(-1, 3).tolist(), made.tolist(), strict=True):
        h, s, v = colorsys.rgb_to_hsv(*(value / 255 for value in pixel))
        expected = [255 * value for value in colorsys.hsv_to_rgb((h + level) % 1, s, v)]
        assert found == pytest.approx(expected, abs=0.01)


def test_one_image_in_five_is_gray_and_each_is_changed_in_its_own_way() -> None:
    made = colors.jitter(pictures(1, 6, 6).float().expand(4000, -1, -1, -1), generator())
    grays = (made.amax(1) - made.amin(1)).amax((1, 2)) < 1e-3
    assert float(grays.float().mean()) == pytest.approx(0.2, abs=0.02)
    assert len({one.numpy().tobytes() for one in made}) == 4000
    assert float(made.min()) >= 0
    assert float(made.max()) <= 255


def test_images_of_one_channel_keep_one() -> None:
    made = colors.jitter(pictures(8, 6, 6, channels=1).float(), generator())
    assert made.shape == (8, 1, 6, 6)
    assert made.isfinite().all()


def test_the_eval_view_is_the_central_224_of_256_pixels() -> None:
    whole = Preprocessing("image", (3, 256, 256), (0.5,) * 3, (0.25,) * 3)
    seen = preprocessing_for("crop+color+flip", whole)
    assert seen.seen_shape == (3, 224, 224)
    raw = pictures(2, 256, 256)
    expected = (raw[:, :, 16:240, 16:240].float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(Views(seen, "crop+color+flip").make("eval", raw, generator()), expected)
    torch.testing.assert_close(seen.apply(raw), expected)
    assert Preprocessing.from_json(seen.to_json()) == seen
    assert preprocessing_for("shift+flip", whole) == whole


def test_all_views_of_crops_have_the_size_that_is_seen() -> None:
    seen = preprocessing_for("crop+color+flip", Preprocessing("image", (3, 40, 40), (0.5,) * 3, (0.25,) * 3))
    raw = pictures(6, 40, 40)
    for augment in ("crop+color+flip", "none", "shift+flip", "rotate+crop+flip"):
        for name in ("eval", "weak", "strong"):
            assert Views(seen, augment).make(name, raw, generator()).shape == (6, 3, 35, 35)


def test_the_weak_view_of_mini_imagenet_turns_frames_and_mirrors() -> None:
    raw = torch.zeros(400, 3, 84, 84, dtype=torch.uint8)
    raw[..., 42:] = 200
    made = Views(Preprocessing("image", (3, 84, 84)), "rotate+crop+flip").make("weak", raw, generator())
    mirrored = made[:, 0, :, :20].mean((1, 2)) > made[:, 0, :, -20:].mean((1, 2))
    assert float(mirrored.float().mean()) == pytest.approx(0.5, abs=0.1)
