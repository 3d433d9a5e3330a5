"""Recipes under one budget: equal image passes for every run, counted and not written down by recipe.

A cell is one training from its seed, alone: no baseline and no test example is part of it. The truth of the unlabeled
examples scores what it ends with; nothing is chosen by it. Each has a process of its own, so that its peak memory is
its own.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from scipy.stats import t as student_t

from labelprop.bench.cells import CELLS, CellFile, Work
from labelprop.bench.passes import steps_within
from labelprop.bench.sets import Split
from labelprop.bench.tables import markdown, percent, shown, spread, write_markdown
from labelprop.core.errors import UnknownNameError
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder
from labelprop.core.types import Task
from labelprop.runs.verbs import train
from labelprop.training import recipes

BASELINE = "supervised"
MEASURES = (
    *("unlabeled", "test", "pseudo_labels", "density_count_r"),
    *("training_seconds", "passes", "peak_memory_bytes"),
)


class SplitWriter(Protocol):
    """Writes the files of one training: who is labeled is drawn by the seed."""

    def __call__(self, data: Path, *, out: Path, seed: int) -> Split: ...


@dataclass(frozen=True, slots=True)
class RecipeRow:
    """One line of a table: a recipe with its defaults but for `settings`."""

    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join([self.recipe, *(f"{key}={value}" for key, value in self.settings.items())])


@dataclass(frozen=True, slots=True)
class BenchSet:
    """One data set of a bench, and what is run on it."""

    name: str
    what: str  # "10,000 images, 20 labels a class"
    draw: SplitWriter
    model: str
    passes: int
    splits: int
    rows: tuple[RecipeRow, ...]
    image_size: int | None = None  # side in pixels that pictures are brought to; None: as they are
    compared: tuple[tuple[str, str], ...] = ()  # rows, the first expected above the second
    precision: str = "auto"


@dataclass(frozen=True, slots=True)
class BenchFilter:
    """Which cells: names with commas (empty: all), splits a set (None: its own number); `scale` times the passes.

    `processes` of them run beside each other.
    """

    sets: str = ""
    rows: str = ""
    splits: int | None = None
    scale: float = 1
    precision: str = "auto"
    processes: int = 1


def work_on(bench: str, known: Sequence[BenchSet], asked: BenchFilter, data: Path) -> Work:
    """The work that runs the wanted sets. Raises UnknownNameError for a set or row that is not there."""
    everything = select_sets(bench, known, BenchFilter(scale=asked.scale))
    return partial(_run, bench, select_sets(bench, known, asked), everything, data, asked.processes)


def _run(
    bench: str,
    wanted: Sequence[BenchSet],
    known: Sequence[BenchSet],
    data: Path,
    processes: int,
    folder: RunFolder,
    reporter: Reporter,
) -> str:
    """Runs what is missing of what is wanted and returns the tables of all that is there as Markdown.

    `table.md` and `table.json` hold them too. Raises RequestError naming the file that `data` lacks.
    """
    cells = CellFile(folder.path / CELLS)
    for each in wanted:
        work = []
        for number in range(each.splits):
            for row in each.rows:
                place = folder.path / "runs" / f"{each.name}-{number}-{row.name.replace(' ', '-')}"
                key = {"set": each.name, "split": number, "row": row.name}
                work.append((key, partial(_cell, data, each, number, row, place)))
        for cell in cells.run_apart(work, processes, reporter):
            reporter.say(f"{bench}: {each.name}, split {cell['split'] + 1} of {each.splits}, {cell['row']} is done")
    summary, text = tables(known, cells.rows)
    folder.write_json("table.json", {"sets": summary})
    write_markdown(folder, text)
    return text


def tables(sets: Sequence[BenchSet], cells: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], str]:
    """A summary of the cells by data set, and its tables as Markdown."""
    there = {cell["set"] for cell in cells}
    sets = [each for each in sets if each.name in there]
    summary = {
        each.name: summarize([cell for cell in cells if cell["set"] == each.name], each.compared) for each in sets
    }
    return summary, "\n".join(section(each, summary[each.name]) for each in sets)


def select_sets(bench: str, known: Sequence[BenchSet], asked: BenchFilter) -> list[BenchSet]:
    """The sets of these names, with the lines of these names, this number of splits and these passes."""
    sets = [name.strip() for name in asked.sets.split(",") if name.strip()]
    rows = [name.strip() for name in asked.rows.split(",") if name.strip()]
    for kind, names, there in (
        ("set", sets, {each.name for each in known}),
        ("row", rows, {row.name for each in known for row in each.rows}),
    ):
        for name in names:
            if name not in there:
                raise UnknownNameError(f"{kind} of bench {bench}", name, there)
    return [
        replace(
            each,
            rows=tuple(row for row in each.rows if not rows or row.name in rows),
            splits=each.splits if asked.splits is None else asked.splits,
            passes=round(asked.scale * each.passes),
            precision=asked.precision,
        )
        for each in known
        if not sets or each.name in sets
    ]


def _cell(data: Path, each: BenchSet, number: int, row: RecipeRow, out: Path, reporter: Reporter) -> dict[str, Any]:
    """One training from its seed, scored; continues where an interrupted one stopped."""
    split = each.draw(data, out=out.parent / f"{each.name}-{number}", seed=number)
    steps, spent = steps_within(each.passes, recipes.build(row.recipe, row.settings), _task(split, number))
    found = train(
        split.examples,
        split.labels,
        recipe=row.recipe,
        model=each.model,
        out=out,
        truth=split.truth,
        test=split.test,
        seed=number,
        steps=steps,
        baselines=False,
        report=False,
        resume=True,
        image_size=each.image_size,
        precision=each.precision,
        settings=row.settings,
        reporter=reporter,
    )
    monitored = [line["monitor"] for line in RunFolder(out).history()]
    last: Mapping[str, Any] = monitored[-1] if monitored else {}
    return {
        "steps": steps,
        "passes": round(spent),
        "precision": RunFolder(out).read_json("run.json")["precision"],
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


def summarize(
    cells: Sequence[Mapping[str, Any]], compared: Sequence[tuple[str, str]] = ()
) -> dict[str, dict[str, Any]]:
    """Of every row: spreads over the splits, and the paired difference to `supervised` with its standard error.

    Likewise to the others that it is `compared` with.
    """
    by_row: dict[str, dict[int, Mapping[str, Any]]] = {}
    for cell in cells:
        by_row.setdefault(cell["row"], {})[cell["split"]] = cell
    found: dict[str, dict[str, Any]] = {}
    for name, own in by_row.items():
        kept = {
            measure: [cell[measure] for cell in own.values() if cell[measure] is not None] for measure in MEASURES
        }
        found[name] = {measure: spread(values) if values else None for measure, values in kept.items()}
        found[name]["own_process"] = all(cell.get("own_process", False) for cell in own.values())
        found[name]["gain"] = None if name == BASELINE else _difference(own, by_row.get(BASELINE, {}))
        over = {low: _difference(own, by_row.get(low, {})) for high, low in compared if high == name}
        if over:
            found[name]["over"] = over
    return found


def _difference(
    cells: Mapping[int, Mapping[str, Any]], others: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any] | None:
    gains = [cell["unlabeled"] - others[split]["unlabeled"] for split, cell in cells.items() if split in others]
    return paired(gains) if gains else None


def paired(gains: Sequence[float]) -> dict[str, Any]:
    """Mean of paired differences, its standard error (None for one pair), and in how many pairs it is positive.

    `below` says whether the mean lies below 0 by more than t(.975) standard errors, `above` likewise.
    """
    mean, error = statistics.mean(gains), None
    bound = math.inf
    if len(gains) > 1:
        error = statistics.stdev(gains) / math.sqrt(len(gains))
        bound = float(student_t.ppf(0.975, len(gains) - 1)) * error
    return {
        "mean": mean,
        "standard_error": error,
        "positive": sum(gain > 0 for gain in gains),
        "below": mean < -bound,
        "above": mean > bound,
    }


def section(each: BenchSet, summary: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of one data set."""
    header = ["recipe", "unlabeled", "test", "gain over supervised", "pseudo-labels", "r(D, Q)", "seconds", "GiB"]
    listed = [row.name for row in each.rows]
    names = [*(name for name in listed if name in summary), *(name for name in summary if name not in listed)]
    lines = [_line(name, each, summary[name]) for name in names]
    title = f"{each.name}: {each.what}, {each.model}, {each.passes:,} passes a run"
    passes = {name: summary[name]["passes"]["mean"] for name in names}
    beyond = [f"{name} ({spent:,.0f})" for name, spent in passes.items() if spent > 1.01 * each.passes]
    note = f"\nMore passes than that, for the least lengths of their phases: {', '.join(beyond)}.\n" if beyond else ""
    return f"{title}\n\n{markdown(header, lines)}{note}{_comparisons(each, summary)}"


def _comparisons(each: BenchSet, summary: Mapping[str, Mapping[str, Any]]) -> str:
    """A table of the paired differences between rows; nothing where no two of them are there."""
    lines = []
    for high, low in each.compared:
        found = summary.get(high, {}).get("over", {}).get(low)
        if found is not None:
            error = found["standard_error"]
            apart = f"{found['mean'] / error:+.1f}" if error else "-"
            lines.append([high, low, _gain(found), apart, str(found["positive"])])
    header = ["row", "over", "difference, unlabeled", "in standard errors", "splits above"]
    return f"\n{markdown(header, lines)}" if lines else ""


def _line(name: str, each: BenchSet, own: Mapping[str, Any]) -> list[str]:
    """A row's line; memory is an upper bound where other cells went through the same process before."""
    done = own["unlabeled"]["n"]
    return [
        name if done == each.splits else f"{name} ({done} of {each.splits} splits)",
        *(percent(own[measure]) for measure in ("unlabeled", "test")),
        _gain(own["gain"]),
        percent(own["pseudo_labels"]),
        shown(own["density_count_r"]),
        f"{own['training_seconds']['mean']:.0f}",
        f"{'' if own['own_process'] else '≤ '}{own['peak_memory_bytes']['mean'] / 2**30:.1f}",
    ]


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None:
        return "-"
    error = "" if gain["standard_error"] is None else f" ± {100 * gain['standard_error']:.1f}"
    verdict = " (below)" if gain["below"] else ""
    return f"{100 * gain['mean']:+.1f}{error}{verdict}"
