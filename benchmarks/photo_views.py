"""How photos are shown to backbone `photos`: cropped or squeezed, by which filter, at which size.

    python benchmarks/photo_views.py --data DIR [--photos FOLDER ...] [--images 2000] [--draws 5]

DIR holds cifar10/train.parquet. Its images are square, so for the first question a window of 4:3 or 3:4 (32 x 24 or
24 x 32 pixels, at a random place) is cut from each: what is cropped away then is a part of the picture that remains.
FOLDER holds photos in sub-folders named after their class; several can be given. Accuracies are of the unlabeled
photos, by the vote of 10 neighbors and, with --auto, by AutoPropagation, with 5 and 20 labels a class; all are over
the same draws. Writes benchmarks/results/photo_views.json, a row when it is there.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image

import labelprop as lp
from common import RESULTS, provenance, save
from labelprop.data.images.pixels import ImageFormat, Scaling, to_pixels
from labelprop.models.backbone import load_backbone
from overlapping import draw_seeds

LABELS = (5, 20)
FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


class View(NamedTuple):
    """How images are shown; `oversize`: times the size that an image has at least before it is resampled."""

    size: int
    whole: bool = False
    filter: str = "bilinear"
    oversize: int = 1

    def __str__(self) -> str:
        return f"{self.size} {'squeezed' if self.whole else 'cropped'} {self.filter} x{self.oversize}"


VIEWS = (
    *(View(160, whole, name) for name in FILTERS for whole in (False, True)),
    View(160, oversize=2),
    *(View(size, filter=name) for size in (96, 128, 224) for name in FILTERS),
)


def cifar(folder: Path, n: int, windows: bool) -> tuple[list[Image.Image], np.ndarray]:
    """The first images, whole or a random window of 4:3 or 3:4 of each, and their classes."""
    table = pq.read_table(folder / "cifar10" / "train.parquet").slice(0, n)
    rng, images = np.random.default_rng(0), []
    for cell in table["image"].to_pylist():
        image = Image.open(io.BytesIO(cell["bytes"])).convert("RGB")
        if windows:
            width, height = (32, 24) if rng.random() < 0.5 else (24, 32)
            left, top = rng.integers(33 - width), rng.integers(33 - height)
            image = image.crop((left, top, left + width, top + height))
        images.append(image)
    return images, np.array(table["label"].to_pylist())


def folder_of_photos(folder: Path, n: int) -> tuple[list[Path], np.ndarray]:
    """As many photos, drawn evenly from the classes."""
    files = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    names = sorted({path.parent.name for path in files})
    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(files))[:n]
    return [files[i] for i in chosen], np.array([names.index(files[i].parent.name) for i in chosen])


def vectors_of(images: list[Any], view: View) -> np.ndarray:
    """(N, 1280) of unit length; `images` are opened ones or paths."""
    backbone, target = load_backbone("photos", image_size=view.size), ImageFormat(3, view.size, view.size)
    scaling = Scaling(whole=view.whole, method=FILTERS[view.filter], oversize=view.oversize, reduced=True)
    parts = []
    for start in range(0, len(images), 64):
        opened = (Image.open(one) if isinstance(one, Path) else one.copy() for one in images[start : start + 64])
        raw_B = torch.from_numpy(np.stack([to_pixels(image, target, scaling) for image in opened]))
        parts.append(backbone.embed(raw_B, torch.device("cpu")).numpy())
    vectors = np.concatenate(parts)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def accuracies(vectors: np.ndarray, truth: np.ndarray, draws: int, auto: bool) -> Iterator[dict[str, Any]]:
    """By each propagator and number of labels a class: over all draws, and the mean of them."""
    propagators = {"knn": lp.WeightedKNN} | ({"auto": lp.AutoPropagation} if auto else {})
    for per_class in LABELS:
        for name, kind in propagators.items():
            shares = []
            for draw in range(draws):
                y = draw_seeds(truth, per_class, seed=draw)
                labels = kind().fit(vectors, y).transduction_
                shares.append(round(float((labels[y < 0] == truth[y < 0]).mean()), 4))
            yield {"labels": per_class, "by": name, "mean": round(float(np.mean(shares)), 4), "draws": shares}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cifar10/train.parquet")
    parser.add_argument("--photos", type=Path, nargs="*", default=[], help="folders of photos by class")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--auto", action="store_true", help="by AutoPropagation too, which takes longer")
    options = parser.parse_args()
    sets: dict[str, tuple[list[Any], np.ndarray]] = {
        "cifar10 windows": cifar(options.data, options.images, windows=True),
        "cifar10": cifar(options.data, options.images, windows=False),
    } | {folder.name: folder_of_photos(folder, options.images) for folder in options.photos}
    path = RESULTS / "photo_views.json"
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"] if path.is_file() else []
    for view, (name, (images, truth)) in itertools.product(VIEWS, sets.items()):
        about = {"set": name, "images": len(images)} | view._asdict()
        if any(about.items() <= row.items() for row in rows) or (view.whole and name == "cifar10"):
            continue
        found = [about | one for one in accuracies(vectors_of(images, view), truth, options.draws, options.auto)]
        rows += found
        save("photo_views", {"provenance": provenance(), "rows": rows})
        print(name, view, *(f"{one['by']}, {one['labels']} a class: {one['mean']:.3f}" for one in found), flush=True)


if __name__ == "__main__":
    main()
