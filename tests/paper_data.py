"""Small pictures in the layouts that the papers' benches read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(rng: np.random.Generator, label: int, n_classes: int, side: int) -> Image.Image:
    """Noise with a bright band whose height tells the class."""
    pixels = rng.integers(0, 80, size=(side, side, 3), dtype=np.uint8)
    low = side * label // n_classes
    pixels[low : low + max(2, side // n_classes)] += 150
    return Image.fromarray(pixels)


def write_table_set(folder: Path, n_classes: int, per_class: int, side: int) -> None:
    """train.parquet and test.parquet, the latter with five images a class."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", per_class), ("test", 5)):
        labels = rng.permutation(np.repeat(np.arange(n_classes), count))
        cells = []
        for label in labels:
            buffer = io.BytesIO()
            picture(rng, int(label), n_classes, side).save(buffer, "PNG")
            cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"image": cells, "label": labels})
        names = [f"class {label}" for label in range(n_classes)]
        pq.write_table(table.replace_schema_metadata({"class_names": json.dumps(names)}), folder / f"{name}.parquet")


def write_imagenet(folder: Path, n_classes: int, per_class: int, side: int) -> None:
    """train/CLASS/*.png and val/CLASS/*.png, the latter with three images a class."""
    rng = np.random.default_rng(0)
    for part, count in (("train", per_class), ("val", 3)):
        for label in range(n_classes):
            place = folder / part / f"n{label:04d}"
            place.mkdir(parents=True)
            for number in range(count):
                picture(rng, label, n_classes, side).save(place / f"{number:03d}.png")
