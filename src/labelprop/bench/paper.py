"""Benches of the papers' tables: each row trained as its paper does, each cell kept by itself and continued.

A folder takes the cells of many calls: other labels, splits, networks, rows. Measured on the test set (ImageNet: the
validation images) after the last epoch; the paper's number stands in a column of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch

from labelprop.bench.cells import CELLS, CellFile
from labelprop.bench.paper_files import Files
from labelprop.bench.tables import markdown, shown, spread, write_markdown
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder
from labelprop.methods.phases import Recipe
from labelprop.runs.verbs import train
from labelprop.training.recipes.paper import PaperRow

HEADER = (
    "row",
    "measured %",
    "paper %",
    "in",
    "splits",
    "top-1 %",
    "top-5 %",
    "seconds",
    "images/s",
    "device",
    "GiB",
)


@dataclass(frozen=True)
class PaperRequest:
    """One call: rows on the files of one draw; `epochs` and `model` replace the rows' own."""

    rows: Sequence[PaperRow]
    make_files: Callable[[Path], Files]  # in a folder
    split: int
    epochs: int | None
    model: str
    differs: str = ""  # what else the rows were given other than the paper has it


def run_rows(asked: PaperRequest, folder: RunFolder, reporter: Reporter) -> str:
    """Runs what is missing and returns the tables as Markdown, which `table.md` and `table.json` hold too."""
    cells, files = CellFile(folder.path / CELLS), cache(partial(asked.make_files, folder.path / "data"))
    for row in asked.rows:
        key = {"table": _title(row, asked), "row": row.name, "split": asked.split}
        place = folder.path / "runs" / _file_name(key)
        cells.run(key, partial(_cell, row, asked, files, place, reporter))
        reporter.say(f"{row.where}: {row.method}, split {asked.split} is done")
    tables = summarize(cells.rows)
    folder.write_json("table.json", {"tables": tables})
    text = "\n".join(_section(title, rows) for title, rows in tables.items())
    write_markdown(folder, text)
    return text


def _title(row: PaperRow, asked: PaperRequest) -> str:
    parts = [row.where, asked.model or row.network]
    parts += [f"--epochs {asked.epochs}"] if asked.epochs is not None else []
    return ", ".join([*parts, asked.differs] if asked.differs else parts)


def _file_name(key: Mapping[str, Any]) -> str:
    return re.sub(r"[^A-Za-z0-9.+=]+", "-", "-".join(str(value) for value in key.values()))


def _cell(
    row: PaperRow, asked: PaperRequest, draw: Callable[[], Files], out: Path, reporter: Reporter
) -> dict[str, Any]:
    """One training, scored; continues where an interrupted one stopped."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    files = draw()
    found = train(
        files.images,
        files.labels,
        recipe=row.recipe,
        model=asked.model or row.network,
        out=out,
        truth=files.truth,
        test=files.test,
        seed=asked.split,
        epochs=row.epochs if asked.epochs is None else asked.epochs,
        augment=row.augment,
        image_size=files.image_size,
        baselines=False,
        resume=True,
        reporter=reporter,
    )
    record, metrics = RunFolder(out).read_json("run.json"), found.metrics
    return {
        "method": row.method,
        "measure": row.measure,
        "paper": None if row.published is None else str(row.published),
        "paper_table": None if row.published is None else row.published.table,
        "top1": metrics["test"]["accuracy"],
        "top5": metrics["test"]["top5"],
        "steps": record["phases"][row.recipe.name],
        "training_seconds": metrics["seconds"],
        "images_per_second": images_per_second(record, metrics, row.recipe),
        "device": record["device"],
        "peak_memory_bytes": torch.cuda.max_memory_allocated() if on_gpu else metrics["peak_memory_bytes"],
    }


def images_per_second(record: Mapping[str, Any], metrics: Mapping[str, Any], recipe: Recipe) -> float:
    """Training images a second of the steps alone; an image that is shown twice a step counts once."""
    images = 0
    for phase in recipe.phases:
        needs, steps = phase.needs, record["phases"][recipe.name][phase.name]
        pool = metrics["unlabeled"]["n"] if needs.labeled.size else metrics["n"]
        images += steps * (needs.labeled.size + min(needs.unlabeled.size, pool))
    return round(float(images / record["stages"][f"{recipe.name}: steps"]["seconds"]), 1)


def summarize(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """By table and row: spreads over the splits in percent, what the paper has, and what it took."""
    grouped: dict[str, dict[str, list[Mapping[str, Any]]]] = {}
    for cell in cells:
        grouped.setdefault(cell["table"], {}).setdefault(cell["row"], []).append(cell)
    return {title: {name: _row(own) for name, own in rows.items()} for title, rows in grouped.items()}


def _row(own: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = own[-1]
    measured = [value for cell in own if (value := measured_percent(cell)) is not None]
    means = {name: [100 * cell[name] for cell in own if cell[name] is not None] for name in ("top1", "top5")}
    return {
        "method": last["method"],
        "measure": last["measure"],
        "measured": spread(measured) if measured else None,
        "paper": last["paper"],
        "paper_table": last["paper_table"],
        **{name: spread(values) if values else None for name, values in means.items()},
        "seconds": spread(cell["training_seconds"] for cell in own),
        "images_per_second": spread(cell["images_per_second"] for cell in own),
        "device": " / ".join(sorted({cell["device"] for cell in own})),
        "peak_memory_bytes": max(cell["peak_memory_bytes"] for cell in own),
    }


def measured_percent(cell: Mapping[str, Any]) -> float | None:
    """The number that the paper's is to be held against; None where there are too few classes for a top-5."""
    rank, kind = str(cell["measure"]).split()
    share: float | None = cell["top1" if rank == "top-1" else "top5"]
    if share is None:
        return None
    return 100 * (1 - share if kind == "error" else share)


def _section(title: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [
        [
            row["method"],
            f"{shown(row['measured'])} ({row['measure']})",
            row["paper"] or "-",
            row["paper_table"] or "-",
            str(row["seconds"]["n"]),
            shown(row["top1"]),
            shown(row["top5"]),
            f"{row['seconds']['mean']:.0f}",
            f"{row['images_per_second']['mean']:.0f}",
            row["device"],
            f"{row['peak_memory_bytes'] / 2**30:.1f}",
        ]
        for row in rows.values()
    ]
    return f"{title}\n\n{markdown(HEADER, lines)}"
