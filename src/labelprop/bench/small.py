"""The two papers' systems on a CPU: fashion_mnist and cifar10 in small, under equal image passes.

fashion_mnist: 10,000 images, 20 labels a class, `small_cnn`, 400 thousand passes a run. cifar10: 10,000 images, 50
labels a class, `preact_resnet18` at width 16, 800 thousand passes. Three splits each. No baseline and no test image
is part of a training; the truth of the unlabeled images scores what a run ends with.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from labelprop.api import train
from labelprop.bench.cells import Cells
from labelprop.bench.passes import epochs_within
from labelprop.bench.sets import Split, split_images
from labelprop.bench.tables import markdown, percent, spread
from labelprop.errors import UnknownNameError
from labelprop.progress import Reporter
from labelprop.run_folder import RunFolder, write_atomically
from labelprop.training import recipes
from labelprop.types import Task

ROWS = 10_000
BASELINE = "supervised"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: a recipe with its defaults but for `settings`."""

    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join([self.recipe, *(f"{key}={value}" for key, value in self.settings.items())])


@dataclass(frozen=True, slots=True)
class Part:
    """One data set of the bench and what is run on it."""

    name: str
    per_class: int
    model: str
    passes: int
    rows: tuple[Row, ...]


PARTS = (
    Part(
        "fashion_mnist",
        20,
        "small_cnn",
        400_000,
        (
            *map(Row, (BASELINE, "network-prediction", "dlp", "mean-teacher", "mt+dlp")),
            *map(Row, ("ir", "la", "llp", "llp+rj")),
            Row("llp", {"density": None}),
        ),
    ),
    Part(
        "cifar10",
        50,
        "preact_resnet18(width=16)",
        800_000,
        tuple(map(Row, (BASELINE, "network-prediction", "dlp", "mt+dlp"))),
    ),
)


def run(
    data: Path,
    folder: RunFolder,
    reporter: Reporter,
    *,
    splits: int = 3,
    sets: str = "",
    rows: str = "",
    scale: float = 1,
) -> str:
    """Runs what is missing and returns the tables as Markdown, which `table.md` and `table.json` hold too.

    `sets` names the data sets and `rows` the lines of their tables, with commas (empty: all of them); `scale`
    multiplies the image passes of each run.
    Raises RequestError naming the file that `data` lacks, UnknownNameError for a set or row that is not there.
    """
    cells = Cells(folder.path / "cells.jsonl")
    wanted = choose(sets, rows)
    for part in wanted:
        for number in range(splits):
            for row in part.rows:
                key = {"set": part.name, "split": number, "row": row.name}
                place = folder.path / "runs" / f"{part.name}-{number}-{row.name.replace(' ', '-')}"
                cells.run(key, lambda p=part, n=number, r=row, f=place: _cell(data, p, n, r, scale, f, reporter))  # type: ignore[misc]
                reporter.say(f"small: {part.name}, split {number + 1} of {splits}, {row.name} is done")
    summary = {part.name: summarize([cell for cell in cells.rows if cell["set"] == part.name]) for part in wanted}
    folder.write_json("table.json", {"splits": splits, "scale": scale, "sets": summary})
    text = "\n".join(_section(part, summary[part.name], scale) for part in wanted)
    write_atomically(folder.path / "table.md", lambda partial: _write_text(partial, text))
    return text


def choose(sets: str, rows: str) -> list[Part]:
    """The parts of these names, with the lines of these names."""
    asked_sets = [name.strip() for name in sets.split(",") if name.strip()]
    asked_rows = [name.strip() for name in rows.split(",") if name.strip()]
    for kind, asked, known in (
        ("set of bench small", asked_sets, {part.name for part in PARTS}),
        ("row of bench small", asked_rows, {row.name for part in PARTS for row in part.rows}),
    ):
        for name in asked:
            if name not in known:
                raise UnknownNameError(kind, name, known)
    parts = [part for part in PARTS if not asked_sets or part.name in asked_sets]
    return [
        replace(part, rows=tuple(row for row in part.rows if not asked_rows or row.name in asked_rows))
        for part in parts
    ]


def _cell(
    data: Path, part: Part, number: int, row: Row, scale: float, out: Path, reporter: Reporter
) -> dict[str, Any]:
    """One training from its seed, scored; continues where an interrupted one stopped."""
    split = split_images(data, part.name, out.parent / f"{part.name}-{number}", ROWS, part.per_class, number)
    epochs, spent = epochs_within(scale * part.passes, recipes.build(row.recipe, row.settings), _task(split, number))
    found = train(
        split.images,
        split.labels,
        recipe=row.recipe,
        model=part.model,
        out=out,
        truth=split.truth,
        test=data / part.name / "test.parquet",
        seed=number,
        epochs=epochs,
        baselines=False,
        resume=True,
        settings=row.settings,
        reporter=reporter,
    )
    monitored = [line["monitor"] for line in RunFolder(out).history()]
    last: Mapping[str, Any] = monitored[-1] if monitored else {}
    return {
        "epochs": epochs,
        "passes": round(spent),
        "unlabeled": found.metrics["unlabeled"]["accuracy"],
        "test": found.metrics["test"]["accuracy"],
        "pseudo_labels": found.metrics["pseudo_labels"]["accuracy"],
        "density_count_r": last.get("density_count_r"),
        "aggregation": last.get("aggregation"),
        "training_seconds": round(found.metrics["seconds"], 1),
        "peak_memory_bytes": found.metrics["peak_memory_bytes"],
    }


def _task(split: Split, seed: int) -> Task:
    labels_N = torch.from_numpy(split.labels_N)
    return Task(labels_N, torch.ones(len(labels_N)), int(labels_N.max()) + 1, seed)


def summarize(cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of every row: spreads over the splits, and the paired difference to `supervised` with its standard error."""
    by_row: dict[str, dict[int, Mapping[str, Any]]] = {}
    for cell in cells:
        by_row.setdefault(cell["row"], {})[cell["split"]] = cell
    found = {}
    for name, own in by_row.items():
        measures = ("unlabeled", "test", "pseudo_labels", "density_count_r", "training_seconds", "passes")
        kept = {
            measure: [cell[measure] for cell in own.values() if cell[measure] is not None] for measure in measures
        }
        found[name] = {measure: spread(values) if values else None for measure, values in kept.items()}
        base = by_row.get(BASELINE, {})
        gains = [cell["unlabeled"] - base[number]["unlabeled"] for number, cell in own.items() if number in base]
        found[name]["gain"] = None if name == BASELINE or not gains else paired(gains)
    return found


def paired(gains: Sequence[float]) -> dict[str, Any]:
    """Mean of paired differences, its standard error (None for one pair), and in how many pairs it is positive."""
    error = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
    return {"mean": statistics.mean(gains), "standard_error": error, "positive": sum(g > 0 for g in gains)}


def _section(part: Part, summary: Mapping[str, Mapping[str, Any]], scale: float) -> str:
    header = ["recipe", "unlabeled", "test", "gain over supervised", "pseudo-labels", "r(D, Q)", "seconds"]
    lines = []
    for row in part.rows:
        if row.name in summary:
            own = summary[row.name]
            lines.append(
                [
                    row.name,
                    *(percent(own[measure]) for measure in ("unlabeled", "test")),
                    _gain(own["gain"]),
                    percent(own["pseudo_labels"]),
                    "-" if own["density_count_r"] is None else f"{own['density_count_r']['mean']:.2f}",
                    f"{own['training_seconds']['mean']:.0f}",
                ]
            )
    passes = f"{scale * part.passes:,.0f} passes"
    title = f"{part.name}: {ROWS:,} images, {part.per_class} labels a class, {part.model}, {passes}"
    return f"{title}\n\n{markdown(header, lines)}"


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None:
        return "-"
    error = "" if gain["standard_error"] is None else f" ± {100 * gain['standard_error']:.1f}"
    return f"{100 * gain['mean']:+.1f}{error}"


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
