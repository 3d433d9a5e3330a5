"""Data sets of the papers under --data, as files of a training; no image of ImageNet is copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labelprop.bench.sets import required, split_images
from labelprop.core.errors import DataError, RequestError
from labelprop.core.files import write_csv
from labelprop.data.images.kinds import IMAGE_SUFFIXES

PER_PERCENT = 13  # labeled images a class for each percent of ImageNet (released code of LLP)


@dataclass(frozen=True, slots=True)
class Files:
    """The inputs of one training: images (with labels, or a table of them), truth for scoring, and a test set."""

    images: Path
    labels: Path | None
    truth: Path | None
    test: Path
    image_size: int | None = None


def table_files(data: Path, name: str, labels: int, split: int, out: Path) -> Files:
    """`labels` images of `name`/train.parquet labeled, equally many a class, drawn by `split`.

    Raises RequestError naming the file that is missing, or where the classes cannot have equally many or the split is
    no seed.
    """
    import pyarrow.parquet as pq

    if split < 0:
        raise RequestError(f"--split {split} must be at least 0: it is a seed.")
    train, test = (required(data / name / f"{part}.parquet") for part in ("train", "test"))
    labels_N = np.asarray(pq.read_table(train, columns=["label"]).column("label").to_numpy())
    counts_C = np.unique(labels_N, return_counts=True)[1]
    per_class, left = divmod(labels, len(counts_C))
    if left or per_class >= counts_C.min():
        raise RequestError(
            f"--labels {labels} cannot be shared out: {train} has {len(counts_C)} classes of at least "
            f"{counts_C.min():,} images; give a multiple of {len(counts_C)} that leaves some of each unlabeled."
        )
    found = split_images(data, name, out, None, per_class, split)
    return Files(found.examples, found.labels, found.truth, test)


def imagenet_files(data: Path, percent: int, unlabeled_percent: int, image_size: int, out: Path) -> Files:
    """A table of paths: of each class the first images by name, `unlabeled_percent` of them, 13 `percent` labeled.

    Raises RequestError where imagenet/train or imagenet/val is missing, DataError naming a class with too few images.
    """
    train, val = (_class_folders(data / "imagenet" / part) for part in ("train", "val"))
    ids, paths, given, hidden = [], [], [], []
    for folder in _folders(train):
        names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in IMAGE_SUFFIXES)
        labeled = PER_PERCENT * percent
        if len(names) < labeled:
            raise DataError(f"{folder} has {len(names)} images; p = {percent} needs {labeled} of each class.")
        kept = names[: max(labeled, len(names) * unlabeled_percent // 100)]
        ids += [f"{folder.name}/{name}" for name in kept]
        paths += [str(folder.resolve() / name) for name in kept]
        given += [folder.name if place < labeled else "" for place in range(len(kept))]
        hidden += [folder.name] * (len(kept) - labeled)
    out.mkdir(parents=True, exist_ok=True)
    table = out / "images.csv"
    write_csv(table, ["id", "image", "label"], zip(ids, paths, given, strict=True))
    truth = out / "truth.csv"
    others = [name for name, label in zip(ids, given, strict=True) if not label]
    write_csv(truth, ["id", "label"], zip(others, hidden, strict=True))
    return Files(table, None, truth, val, image_size)


def _class_folders(path: Path) -> Path:
    if not path.is_dir() or next(_folders(path), None) is None:
        raise RequestError(
            f"{path} is missing or has no folder a class; --data must name a folder with imagenet/train/CLASS/* and "
            "imagenet/val/CLASS/*."
        )
    return path


def _folders(path: Path) -> Iterator[Path]:
    return (entry for entry in sorted(path.iterdir()) if entry.is_dir() and not entry.name.startswith("."))
