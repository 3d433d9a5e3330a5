"""`paper-cifar10`, `paper-cifar100`, `paper-mini-imagenet`, `paper-imagenet`: which rows, on which files.

Under --data: cifar10/train.parquet and test.parquet, and the same for cifar100 and mini_imagenet (84-pixel images),
with columns `image` and `label`; imagenet/train/CLASS/* and imagenet/val/CLASS/*.

The papers' CIFAR-10 splits 10 to 19 are files of their code that are not part of this: `split` draws as many labels
a class anew. On ImageNet the labeled images are the first of each class, so that there is nothing to draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from labelprop.bench.cells import Work
from labelprop.bench.paper import PaperRequest, run_rows
from labelprop.bench.paper_files import Files, imagenet_files, table_files
from labelprop.core.errors import RequestError
from labelprop.training.recipes import paper_dlp, paper_llp
from labelprop.training.recipes.paper import PaperRow

Make = Callable[[str], PaperRow]


def cifar10(
    data: Path, *, labels: int = 500, split: int = 0, recipe: str = "", epochs: int | None = None, model: str = ""
) -> Work:
    """A column of DLP's CIFAR-10 table; rows of its ablation by name. Raises RequestError as the rows do."""

    def make(name: str) -> PaperRow:
        only_there = name in paper_dlp.ABLATION and name not in paper_dlp.CIFAR10
        if only_there and labels != 500:
            raise RequestError(f"--recipe {name} is a row of the ablation, which has 500 labels; give --labels 500.")
        return paper_dlp.dlp_ablation(name) if only_there else paper_dlp.dlp_cifar10(name, labels)

    return _on_table(data, _rows(recipe, paper_dlp.CIFAR10, make), labels, split, epochs, model)


def cifar100(
    data: Path, *, labels: int = 4000, split: int = 0, recipe: str = "", epochs: int | None = None, model: str = ""
) -> Work:
    """A CIFAR-100 column of DLP's table. Raises RequestError as the rows do."""
    rows = _rows(recipe, paper_dlp.CIFAR100, partial(paper_dlp.dlp_cifar100, labels=labels))
    return _on_table(data, rows, labels, split, epochs, model)


def mini_imagenet(
    data: Path, *, labels: int = 4000, split: int = 0, recipe: str = "", epochs: int | None = None, model: str = ""
) -> Work:
    """A mini-ImageNet column of DLP's table. Raises RequestError as the rows do."""
    rows = _rows(recipe, paper_dlp.MINI_IMAGENET, partial(paper_dlp.dlp_mini_imagenet, labels=labels))
    return _on_table(data, rows, labels, split, epochs, model)


def imagenet(
    data: Path,
    *,
    percent: int = 10,
    unlabeled_percent: int = 100,
    network: str = "resnet18",
    recipe: str = "",
    epochs: int | None = None,
    model: str = "",
    image_size: int = 256,
    noise: int | None = paper_llp.NOISE,
) -> Work:
    """A column of LLP's Tables 1, 2 or 3; rows of its ablation by name. Raises RequestError as the rows do.

    Images are stored as squares of `image_size` pixels, of which the network sees 7/8: 224 of 256.
    """

    def make(name: str) -> PaperRow:
        only_there = name in paper_llp.ABLATION and name not in paper_llp.NUMBERS
        if only_there and (percent, unlabeled_percent) != (10, 100):
            raise RequestError(f"--recipe {name} is a row of the ablation, which has --percent 10 and all images.")
        if only_there:
            return paper_llp.llp_ablation(name, network, noise=noise)
        return paper_llp.llp_imagenet(name, network, percent, unlabeled_percent, noise=noise)

    changed = [f"stored at {image_size} pixels"] if image_size != 256 else []
    changed += [f"noise {noise}"] if noise != paper_llp.NOISE else []
    rows = _rows(recipe, paper_llp.NUMBERS, make)

    def make_files(folder: Path) -> Files:
        place = folder / f"imagenet-{percent}-{unlabeled_percent}"
        return imagenet_files(data, percent, unlabeled_percent, image_size, place)

    return partial(run_rows, PaperRequest(rows, make_files, 0, epochs, model, differs=", ".join(changed)))


def _on_table(data: Path, rows: list[PaperRow], labels: int, split: int, epochs: int | None, model: str) -> Work:
    def make_files(folder: Path) -> Files:
        name = rows[0].data
        return table_files(data, name, labels, split, folder / f"{name}-{labels}-{split}")

    return partial(run_rows, PaperRequest(rows, make_files, split, epochs, model))


def _rows(asked: str, standard: Iterable[str], make: Make) -> list[PaperRow]:
    """The rows that were asked for, with commas; all of the table where none is."""
    names = [name.strip() for name in asked.split(",") if name.strip()] or list(standard)
    return [make(name) for name in names]
