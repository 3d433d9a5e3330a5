"""Small images of three patterns that a network tells apart within seconds."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image


def write_patterns(folder: Path, n: int = 60, labeled: int = 4, size: int = 8, seed: int = 0) -> Path:
    """Gray images of three patterns (rows, columns, disk) as a folder: class sub-folders, `unlabeled/`, truth.csv.

    Returns the path of the truth, which lies beside the folder.
    """
    generator = np.random.default_rng(seed)
    truth = []
    for index in range(n):
        name = ("rows", "columns", "disk")[index % 3]
        given = index < 3 * labeled
        file = f"{name}/{index:03d}.png" if given else f"unlabeled/{index:03d}.png"
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pattern(name, size, generator)).save(folder / file)
        if not given:
            truth.append((file, name))
    path = folder.with_name(f"{folder.name}-truth.csv")
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "label"), *truth])
    return path


def pattern(name: str, size: int, generator: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    phase = generator.integers(4)
    image = {
        "rows": (y + phase) % 4 < 2,
        "columns": (x + phase) % 4 < 2,
        "disk": (x - size / 2 + 0.5) ** 2 + (y - size / 2 + 0.5) ** 2 < (size / 3) ** 2,
    }[name]
    return np.clip(180 * image + generator.normal(30, 25, (size, size)), 0, 255).astype(np.uint8)
