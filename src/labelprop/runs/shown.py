"""A run as a notebook shows it: how good it is, its first rows, and where the page is."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pyarrow.parquet as pq

from labelprop.core.html import box, link, sentence, table
from labelprop.core.run_folder import RunFolder
from labelprop.core.text import counted
from labelprop.evaluation.verdict import judge
from labelprop.report.say.verdict import headline
from labelprop.report.words import brief, capital
from labelprop.runs.summary import summary

ROWS = 5
COLUMNS = ("id", "label", "certainty", "source")


def run_html(folder: RunFolder) -> str:
    """HTML of a finished run; only its first rows are read."""
    metrics, record = folder.read_json("metrics.json"), folder.read_json("run.json")
    noun, n = record.get("noun", "example"), metrics["unlabeled"]["n"]
    labeled = n - metrics["unlabeled"].get("unreached", 0)
    said = (*headline(judge(metrics), noun, n, labeled, metrics["n_given"]), f"{capital(summary(metrics, noun))}.")
    parts = [sentence(text) for text in said if text]
    labels = folder.path / "labels.parquet"
    if labels.exists():
        first = next(pq.ParquetFile(labels).iter_batches(batch_size=ROWS, columns=list(COLUMNS)), None)
        rows = [] if first is None else first.to_pylist()
        shown = [[brief(row["id"]), brief(row["label"] or ""), row["certainty"], row["source"]] for row in rows]
        parts.append(table(COLUMNS, shown))
        if metrics["n"] > len(rows):
            parts.append(sentence(f"{counted(metrics['n'] - len(rows), 'more row')}: .labels"))
    title = f"{record.get('name', folder.path.name)}: {metrics['recipe']}"
    opened = what_to_open(folder.path)
    return box(brief(title, 80), *parts, link(str(opened), _address(opened)))


def what_to_open(run: Path) -> Path:
    """The page of a run, or its folder where it was made without one."""
    report = run / "report.html"
    return report if report.exists() else run


def where(run: Path) -> str:
    """The line that says what to open."""
    opened = what_to_open(run)
    return f"{'run' if opened == run else 'report'}: {opened}"


def _address(path: Path) -> str:
    """Relative where a notebook that was started here can follow it, else whole."""
    whole = path.absolute()
    return quote(os.path.relpath(whole)) if whole.is_relative_to(Path.cwd()) else whole.as_uri()
