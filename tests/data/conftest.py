from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache_root(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test has a cache of its own; nothing is written to the home folder."""
    root = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("LABELPROP_CACHE", str(root))
    return root


@pytest.fixture
def put_image() -> Callable[..., Path]:
    """Write a random image of `size` (width, height) and `mode`; folders are made."""

    def put(path: Path, size: tuple[int, int] = (8, 8), mode: str = "L", seed: int = 0, **options: Any) -> Path:
        bands = len(Image.new(mode, (1, 1)).getbands())
        shape = (size[1], size[0]) if bands == 1 else (size[1], size[0], bands)
        pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(mode).save(path, **options)
        return path

    return put
