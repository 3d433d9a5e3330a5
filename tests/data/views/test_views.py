"""Views: what may happen to an image, on the pixels; and that only the given generator decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from labelprop.core.errors import RequestError
from labelprop.core.registry import AUGMENTS
from labelprop.data.views import policies
from labelprop.data.views.geometric import cutout, shift, shift_range
from labelprop.data.views.preprocessing import Preprocessing
from labelprop.data.views.views import FOR_VECTORS_ALONE, Views, choose_augment


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(batch=32, channels=3, height=12, width=10, seed=0):
    """Random pixels: each position can be recognized."""
    return torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8, generator=generator(seed))


def views(augment, channels=3, height=12, width=10):
    return Views(Preprocessing("image", (channels, height, width), (0.5,) * channels, (0.25,) * channels), augment)


def reference_shifts(image, most_y, most_x, flip):
    """All results that the description of `shift` allows for one (C, H, W) image, by NumPy's reflect padding."""
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (most_y, most_y), (most_x, most_x)), mode="reflect")
    found = [padded[:, y : y + height, x : x + width] for y in range(2 * most_y + 1) for x in range(2 * most_x + 1)]
    return found + [one[:, :, ::-1] for one in found if flip]


@pytest.mark.parametrize("flip", [False, True])
def test_shift_gives_exactly_the_translations_with_reflect_fill(flip):
    images = pictures(batch=1).expand(400, -1, -1, -1)
    allowed = reference_shifts(images[0].numpy(), shift_range(12), shift_range(10), flip)
    drawn = {one.numpy().tobytes() for one in shift(images, generator(), flip=flip)}
    assert drawn == {np.ascontiguousarray(one).tobytes() for one in allowed}


@pytest.mark.parametrize(("size", "most"), [(4, 1), (8, 1), (12, 2), (28, 4), (32, 4), (64, 8), (224, 28)])
def test_largest_shift_is_an_eighth(size, most):
    assert shift_range(size) == most


def test_images_of_a_batch_are_drawn_apart():
    images = pictures(batch=1).expand(64, -1, -1, -1)
    for name in ("weak", "strong"):
        made = views("shift+flip").make(name, images, generator())
        assert len({one.numpy().tobytes() for one in made}) > 20


@pytest.mark.parametrize("augment", sorted(set(AUGMENTS) - set(FOR_VECTORS_ALONE)))
@pytest.mark.parametrize("name", ["eval", "weak", "strong"])
@pytest.mark.parametrize("channels", [1, 3])
def test_views_are_float32_repeatable_and_leave_the_input_alone(augment, name, channels):
    raw = pictures(channels=channels)
    before = raw.clone()
    state = torch.get_rng_state()
    maker = views(augment, channels)
    first = maker.make(name, raw, generator(1))
    assert first.dtype == torch.float32
    assert first.shape == raw.shape
    assert first.isfinite().all()
    assert torch.equal(first, maker.make(name, raw, generator(1)))
    assert torch.equal(raw, before)
    assert torch.equal(torch.get_rng_state(), state), "only the given generator may be used"


def test_eval_draws_nothing_and_standardizes():
    raw, source = pictures(), generator()
    state = source.get_state()
    made = views("strong").make("eval", raw, source)
    torch.testing.assert_close(made, (raw.float() / 255 - 0.5) / 0.25)
    assert torch.equal(source.get_state(), state)


def test_weak_view_of_none_is_the_eval_view():
    raw = pictures()
    maker = views("none")
    assert torch.equal(maker.make("weak", raw, generator()), maker.make("eval", raw, generator()))


def mirrored(augment, channels):
    """Whether a view ever shows the mirror image: of a picture that is dark on the left, bright on the right."""
    raw = torch.zeros(200, channels, 8, 8, dtype=torch.uint8)
    raw[..., 4:] = 200
    made = views(augment, channels, 8, 8).make("weak", raw, generator())
    return bool((made[:, 0, :, :3].mean((1, 2)) > made[:, 0, :, 5:].mean((1, 2)) + 0.5).float().mean() > 0.3)


def test_only_shift_flip_mirrors_and_strong_does_in_color():
    assert mirrored("shift+flip", 1)
    assert not mirrored("shift", 3)
    assert mirrored("strong", 3)
    assert not mirrored("strong", 1), "a mirrored digit is another digit"


def test_strong_weak_view_is_made_by_policies():
    raw = pictures(batch=64, height=32, width=32)
    made = views("strong", 3, 32, 32).make("weak", raw, generator())
    hidden = (made == 0).all(1).flatten(1).sum(1)
    assert (hidden >= 64).all(), "cutout hides at least a corner of 8x8 in every image"


def test_without_shift_and_cutout_a_strong_view_is_what_the_policies_make(monkeypatch):
    maker, raw = views("shift", 3, 32, 32), pictures(height=32, width=32)
    monkeypatch.setattr("labelprop.data.views.views.shift", lambda images, generator, *, flip: images)
    monkeypatch.setattr("labelprop.data.views.views.cutout", lambda images, generator: images)
    expected = maker.preprocessing.standardize(policies.apply_policies(raw, generator()))
    assert torch.equal(maker.make("strong", raw, generator()), expected)


def test_float_images_are_taken_too():
    raw = pictures()
    for name in ("eval", "weak", "strong"):
        from_bytes = views("shift").make(name, raw, generator())
        assert torch.equal(views("shift").make(name, raw.float(), generator()), from_bytes)


def test_vectors_stay_in_the_weak_view_and_are_perturbed_in_the_strong_one():
    preprocessing = Preprocessing("vector", (50,), (1.0,), (2.0,))
    raw = torch.randn(40, 50, generator=generator(3))
    maker = Views(preprocessing, "none")
    standardized = (raw - 1) / 2
    torch.testing.assert_close(maker.make("weak", raw, generator()), standardized)
    strong = maker.make("strong", raw, generator())
    hidden = strong == 0
    assert 0.15 < hidden.float().mean() < 0.25
    noise = (strong - standardized)[~hidden]
    assert 0.09 < noise.std() < 0.11
    assert torch.equal(strong, maker.make("strong", raw, generator()))
    assert not torch.equal(Views(preprocessing, "strong").make("weak", raw, generator()), standardized)


def test_noise_is_added_to_vectors_and_nothing_is_hidden():
    preprocessing = Preprocessing("vector", (50,), (1.0,), (2.0,))
    raw = torch.randn(40, 50, generator=generator(3))
    maker = Views(preprocessing, "noise")
    noise = maker.make("weak", raw, generator()) - (raw - 1) / 2
    assert 0.09 < noise.std() < 0.11
    assert noise.abs().min() > 0
    assert torch.equal(maker.make("eval", raw, generator()), (raw - 1) / 2)
    hidden = maker.make("strong", raw, generator()) == 0
    assert 0.15 < hidden.float().mean() < 0.25, "the strong view is the same as ever"


def test_unknown_names_are_refused():
    with pytest.raises(RequestError, match="choose one of: none, shift, shift\\+flip, rotate\\+crop\\+flip, crop"):
        views("mirror")
    with pytest.raises(RequestError, match="choose one of: eval, weak, strong"):
        views("none").make("hard", pictures(), generator())
    with pytest.raises(RequestError, match="the data are vectors; use one of: none, noise, mix, strong"):
        Views(Preprocessing("vector", (5,)), "shift")
    for augment in FOR_VECTORS_ALONE:
        with pytest.raises(
            RequestError, match=r"is for vectors, but the data are images; use one of: none, shift,.* strong"
        ):
            views(augment)


def test_automatic_choice_never_mirrors_gray_images():
    assert choose_augment((1, 28, 28))[0] == "shift"
    assert choose_augment((3, 32, 32))[0] == "shift+flip"
    assert choose_augment((128,))[0] == "none"
    assert all(choose_augment(shape)[1] for shape in ((1, 8, 8), (3, 8, 8), (5,)))


def test_only_vectors_that_are_compared_are_changed_without_being_asked_for():
    assert choose_augment((128,), compared=True)[0] == "mix"
    assert choose_augment((3, 32, 32), compared=True) == choose_augment((3, 32, 32))


def test_cutout_hides_one_square_of_half_the_shorter_side():
    made = cutout(torch.ones(500, 2, 16, 20), generator())
    assert torch.equal(made[:, 0], made[:, 1])
    hidden = made[:, 0] == 0
    heights, widths = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(hidden.flatten(1).sum(1), heights * widths), "a rectangle"
    assert int(heights.max()) == int(widths.max()) == 8
    assert int(heights.min()) >= 4, "the center lies in the image"
    assert int(widths.min()) >= 4


# --- single operations, against Pillow where it has them -----------------------------------------------


def levels(value, batch):
    return torch.full((batch, 1, 1, 1), float(value))


def through_pillow(images, function):
    made = [function(Image.fromarray(one.permute(1, 2, 0).numpy())) for one in images]
    return torch.stack([torch.from_numpy(np.array(one)).permute(2, 0, 1) for one in made]).float()


@pytest.mark.parametrize("flat", [False, True])
def test_equalize_is_pillows(flat):
    images = pictures(batch=4, height=40, width=40) // 3 + 20
    if flat:
        images[1] = 77
    expected = through_pillow(images, ImageOps.equalize)
    assert torch.equal(policies.equalize(images.float(), levels(0, 4)), expected)


def test_autocontrast_is_pillows_up_to_rounding():
    images = pictures(batch=4, height=20, width=20) // 2 + 30
    images[2] = 100
    expected = through_pillow(images, ImageOps.autocontrast)
    assert (policies.autocontrast(images.float(), levels(0, 4)) - expected).abs().max() <= 1


@pytest.mark.parametrize(("level", "bits"), [(0.0, 4), (0.5, 6), (0.999, 8)])
def test_posterize_is_pillows(level, bits):
    images = pictures(batch=2)
    expected = through_pillow(images, lambda one: ImageOps.posterize(one, bits))
    assert torch.equal(policies.posterize(images.float(), levels(level, 2)), expected)


def test_solarize_is_pillows():
    images = pictures(batch=2)
    expected = through_pillow(images, lambda one: ImageOps.solarize(one, 128))
    assert torch.equal(policies.solarize(images.float(), levels(0.5, 2)), expected)


@pytest.mark.parametrize("name", ["brightness", "color", "contrast", "sharpness"])
def test_blends_end_near_the_image_at_full_level(name):
    images = pictures(batch=2).float()
    operation = getattr(policies, name)
    near = (operation(images, levels(1, 2)) - images).abs().mean()
    far = (operation(images, levels(0, 2)) - images).abs().mean()
    assert near < 0.1 * far


def test_color_of_level_zero_is_almost_gray():
    gray = policies.color(pictures(batch=2).float(), levels(0, 2))
    assert (gray.amax(1) - gray.amin(1)).max() <= 0.05 * 255 + 1e-3


@pytest.mark.parametrize("name", ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"])
def test_geometric_operations_are_the_identity_in_the_middle_of_their_range(name):
    images = pictures(batch=2).float()
    operation = getattr(policies, name)
    torch.testing.assert_close(operation(images, levels(0.5, 2)), images, atol=0.01, rtol=0)
    assert (operation(images, levels(1, 2)) - images).abs().mean() > 5


def test_translation_moves_by_a_share_of_the_side():
    image = torch.zeros(1, 1, 20, 20)
    image[..., 10, 10] = 255
    moved = policies.translate_x(image, levels(1, 1))
    assert moved[0, 0, 10].argmax() == 4  # 0.3 of 20 pixels
    moved = policies.translate_y(image, levels(0, 1))
    assert moved[0, 0, :, 10].argmax() == 16


def test_rotation_keeps_right_angles_in_images_that_are_not_square():
    image = torch.zeros(1, 1, 41, 81)
    image[..., 20, 40:61] = 255  # a horizontal bar of 20 pixels from the center
    turned = policies.rotate(image, levels(1, 1))[0, 0]
    row, column = divmod(int((turned[:20] > 100).nonzero()[0] @ torch.tensor([81, 1])), 81)
    length = ((row - 20) ** 2 + (column - 40) ** 2) ** 0.5
    assert 18 <= length <= 22
    assert abs(np.degrees(np.arctan2(20 - row, column - 40)) - 30) < 4


def test_every_image_gets_its_own_policy_and_gray_images_no_color():
    assert policies.color in policies.COLOR_OPERATIONS
    assert policies.color not in policies.GRAY_OPERATIONS
    one = pictures(batch=1, height=16, width=16)
    made = policies.apply_policies(one.expand(200, -1, -1, -1), generator())
    assert len({image.numpy().tobytes() for image in made}) > 150
    assert made.min() >= -0.001
    assert made.max() <= 255.001


def test_strengths_are_drawn_from_the_whole_range(monkeypatch):
    seen = []

    def noted(images, levels):
        seen.extend(levels.flatten().tolist())
        return images

    monkeypatch.setattr(policies, "COLOR_OPERATIONS", (noted, noted))
    policies.apply_policies(pictures(batch=1).expand(2000, -1, -1, -1), generator())
    assert len(seen) == 4000
    assert np.allclose(np.quantile(seen, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.05)
