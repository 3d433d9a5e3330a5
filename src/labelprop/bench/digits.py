"""The digits that ship with scikit-learn (1,797 real 8x8 images) as a folder a user might have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from labelprop.core.errors import RequestError
from labelprop.core.files import storage_errors, write_csv
from labelprop.data.sources.folder import UNLABELED_FOLDER

LABELS_A_CLASS = 10
_DARKEST = 16  # the largest value in scikit-learn's images


def write_digits(folder: Path, seed: int) -> Path:
    """Write the digits as PNG files into the new `folder`; returns the CSV with the truth, beside it.

    Ten images a class, drawn with `seed`, lie in sub-folders named after their class; the others under
    `unlabeled/`, shuffled, with names that do not tell the class. The CSV (`id,label`) has the labels of those.

    Raises RequestError where the folder holds something, StorageError where it cannot be written.
    """
    from sklearn.datasets import load_digits

    if folder.exists() and any(folder.iterdir()):
        raise RequestError(f"'{folder}' is not empty; choose another folder or remove it.")
    images, digits = load_digits(return_X_y=True)
    pixels = np.rint(images * (255 / _DARKEST)).astype(np.uint8).reshape(-1, 8, 8)
    labels, rng = [str(digit) for digit in digits], np.random.default_rng(seed)
    drawn = [rng.choice(np.flatnonzero(digits == digit), LABELS_A_CLASS, replace=False) for digit in range(10)]
    labeled = np.sort(np.concatenate(drawn))
    others = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(len(labels)), labeled))
    names = {int(row): f"{labels[row]}/{place:04d}.png" for place, row in enumerate(labeled, start=1)}
    names |= {int(row): f"{UNLABELED_FOLDER}/{place:04d}.png" for place, row in enumerate(others, start=1)}
    truth = folder.with_name(f"{folder.name}-truth.csv")
    with storage_errors(folder):
        for row, name in names.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[row]).save(folder / name)
    write_csv(truth, ["id", "label"], ([names[int(row)], labels[row]] for row in others))
    return truth
