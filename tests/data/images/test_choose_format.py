from __future__ import annotations

import pytest

from labelprop.data.images import choose_format as format_module
from labelprop.data.images.choose_format import choose_format
from labelprop.data.images.pixels import Header, ImageFormat


def test_small_images_of_one_size_keep_it_and_are_cached() -> None:
    plan = choose_format([Header(12, 8, gray=True)] * 3, None)
    assert (plan.format, plan.cached, plan.note) == (ImageFormat(1, 8, 12), True, None)


def test_one_color_image_makes_all_of_them_color() -> None:
    assert choose_format([Header(8, 8, True), Header(8, 8, False)], None).format.channels == 3


def test_mixed_sizes_go_to_the_median_shorter_side_and_are_streamed() -> None:
    plan = choose_format([Header(10, 30, True), Header(20, 40, True), Header(90, 50, True)], None)
    assert (plan.format, plan.cached) == (ImageFormat(1, 20, 20), False)
    assert plan.note is not None
    assert "images of 3 sizes (10x30 to 90x50), each scaled to 20x20" in plan.note
    assert "--image-size 20 decodes once" in plan.note


def test_large_images_are_brought_down_to_224() -> None:
    plan = choose_format([Header(1024, 768, False)] * 2, None)
    assert (plan.format, plan.cached) == (ImageFormat(3, 224, 224), False)


def test_a_size_that_was_given_is_taken_and_cached() -> None:
    plan = choose_format([Header(10, 30, True), Header(20, 40, True)], 16)
    assert (plan.format, plan.cached) == (ImageFormat(1, 16, 16), True)
    forced = ImageFormat(3, 5, 7)
    assert choose_format([Header(10, 30, True)], forced).format == forced


def test_what_would_not_fit_the_cache_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_module, "CACHE_LIMIT_BYTES", 2 * 8 * 8)
    assert choose_format([Header(8, 8, True)] * 2, None).cached
    plan = choose_format([Header(8, 8, True)] * 3, None)
    assert not plan.cached
    assert plan.note is not None
    assert "decoded whenever they are read" in plan.note
