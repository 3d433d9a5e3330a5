from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from labelprop.bench.digits import write_digits
from labelprop.core.errors import RequestError
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.samples import open_samples


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("digits") / "photos"
    return folder, write_digits(folder, seed=0)


def test_ten_labeled_images_a_class_the_rest_hidden(digits: tuple[Path, Path]) -> None:
    folder, truth = digits
    samples = open_samples(folder)
    given = join_labels(samples)
    assert given.classes == tuple("0123456789")
    assert Counter(given.labels_N.tolist()) == {-1: 1697} | dict.fromkeys(range(10), 10)
    assert samples.content is not None
    assert samples.content.shape == (1, 8, 8)
    texts = read_truth(truth, samples, classes=given.classes)
    assert sum(text is not None for text in texts) == 1697
    assert truth.parent == folder.parent


def test_pixels_span_0_to_255_and_belong_to_their_labels(digits: tuple[Path, Path]) -> None:
    folder, truth = digits
    samples = open_samples(folder)
    assert samples.content is not None
    pixels = samples.content.read(np.arange(len(samples))).numpy().reshape(len(samples), -1)
    assert (pixels.min(), pixels.max()) == (0, 255)
    images, digits_ = load_digits(return_X_y=True)
    known = {
        np.rint(image * 255 / 16).astype(np.uint8).tobytes(): str(digit)
        for image, digit in zip(images, digits_, strict=True)
    }
    labels = [given or true for given, true in zip(samples.given, read_truth(truth, samples), strict=True)]
    assert [known[row.tobytes()] for row in pixels] == labels


def test_names_do_not_tell_the_class(digits: tuple[Path, Path]) -> None:
    with digits[1].open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["id"] for row in rows] == [f"unlabeled/{place:04d}.png" for place in range(1, 1698)]
    codes = np.array([int(row["label"]) for row in rows])
    assert abs(np.corrcoef(codes, np.arange(len(codes)))[0, 1]) < 0.1  # the original order has runs 0, 1, 2, ...
    assert (codes[1:] == (codes[:-1] + 1) % 10).mean() < 0.2


def test_a_folder_with_something_in_it_is_refused(digits: tuple[Path, Path]) -> None:
    with pytest.raises(RequestError, match="is not empty"):
        write_digits(digits[0], seed=1)
