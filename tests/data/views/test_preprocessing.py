from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from labelprop.core.errors import DataError
from labelprop.data.contents import TensorContent
from labelprop.data.images.pixels import ImageFormat
from labelprop.data.views.preprocessing import Preprocessing


def test_images_are_normalized_by_channel() -> None:
    raw = torch.randint(0, 256, (50, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    measured = Preprocessing.measure(TensorContent(raw, torch.uint8))
    out = measured.apply(raw)
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.mean(dim=(0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=(0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)
    mean, std = torch.tensor(measured.mean), torch.tensor(measured.std)
    by_hand = (raw.float() / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    torch.testing.assert_close(out, by_hand, atol=1e-5, rtol=1e-5)


def test_vectors_keep_their_geometry() -> None:
    raw = torch.randn(40, 6, generator=torch.Generator().manual_seed(1)).double() * 5 + 2
    measured = Preprocessing.measure(TensorContent(raw, torch.float32))
    assert len(measured.mean) == len(measured.std) == 1
    out = measured.apply(raw)
    assert out.mean().abs() < 1e-5
    assert abs(out.std(correction=0) - 1) < 1e-5
    by_dimension = Preprocessing("vector", (6,), mean=(1.0,) * 6, std=(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
    torch.testing.assert_close(by_dimension.apply(raw), ((raw - 1) / torch.arange(1, 7)).float())


def test_only_the_given_indices_are_measured() -> None:
    raw = torch.cat([torch.zeros(10, 1, 2, 2), torch.full((10, 1, 2, 2), 255)]).to(torch.uint8)
    content = TensorContent(raw, torch.uint8)
    assert Preprocessing.measure(content, np.arange(10, 20)).mean == (1.0,)
    assert Preprocessing.measure(content).mean == (0.5,)


def test_the_deviation_is_never_zero() -> None:
    flat = TensorContent(torch.full((4, 1, 2, 2), 9, dtype=torch.uint8), torch.uint8)
    measured = Preprocessing.measure(flat)
    assert measured.std == (1.0,)
    assert torch.isfinite(measured.apply(flat.read(np.arange(4)))).all()


def test_json_round_trip() -> None:
    for kind in (Preprocessing("image", (3, 8, 8), (0.1, 0.2, 0.3), (1.0, 2.0, 3.0)), Preprocessing("vector", (16,))):
        assert Preprocessing.from_json(json.loads(json.dumps(kind.to_json()))) == kind
    assert Preprocessing("image", (3, 8, 9)).image_format == ImageFormat(3, 8, 9)
    assert Preprocessing("vector", (16,)).image_format is None


def test_another_shape_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected examples of shape \(16,\), got \(15,\)"):
        Preprocessing("vector", (16,)).apply(torch.zeros(2, 15))
