"""Colors of classes that are hard to tell apart have different marks, light and dark, for any kind of vision."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

from labelprop.report.view.figures import COLORS, MARKS

# Machado, Oliveira, Fernandes 2009, severity 1: linear sRGB as deuteranopes, protanopes and tritanopes see it.
VISIONS = {
    "normal": np.eye(3),
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Ottosson 2020.
TO_CONES = [
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
]
TO_OKLAB = [
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
]


def palettes() -> list[list[str]]:
    """The light and the dark colors of the page."""
    style = (files("labelprop.report") / "page" / "base.css").read_text()
    found = [code for _, code in sorted(re.findall(r"--c(\d): (#[0-9a-f]{6})", style), key=lambda pair: pair[0])]
    return [found[::2], found[1::2]]


def oklab(code: str, vision: np.ndarray) -> np.ndarray:
    encoded = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(vision @ linear, 0, 1)
    return np.array(TO_OKLAB) @ np.cbrt(np.array(TO_CONES) @ seen)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_close_colors_have_different_marks(scheme: int, vision: str) -> None:
    palette = palettes()[scheme]
    assert len(palette) == len(MARKS) == COLORS
    seen = [oklab(code, np.array(VISIONS[vision])) for code in palette]
    for a, b in itertools.combinations(range(COLORS), 2):
        apart = 100 * np.linalg.norm(seen[a] - seen[b])
        assert apart > 14 or MARKS[a] != MARKS[b], (a, b, apart)


def test_the_four_marks_are_dealt_evenly() -> None:
    assert sorted(np.bincount(MARKS).tolist()) == [2, 2, 3, 3]
    assert MARKS[3] != MARKS[6], "cat and frog of CIFAR-10"
    assert MARKS[4] != MARKS[9], "deer and truck"
