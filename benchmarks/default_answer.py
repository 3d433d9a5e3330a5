"""What `labelprop train DATA --labels L` finds with nothing else, as a user runs it, each run a process of its own.

CIFAR-10's first 10,000 training images as a folder of JPEG files, 20 and 5 labels a class, and banking77's training
texts as a table, 5 labels a class, with the extra `text` installed; three splits of each. The command is not told the
truth: `labels.parquet` is compared with it afterwards, on the examples that had no label. The first run on a set
has an empty cache, the others find there what the backbone saw. Each finished run is saved, and goes into the file
beside those that are there.

    python benchmarks/default_answer.py --data DIR [--sets cifar10,banking77] [--labels 20,5] [--splits 3]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from common import RESULTS, provenance, save
from labelprop.bench.sets import draw_nested, required
from labelprop.core.files import write_csv

NAME = "default_answer"
ROWS = {"cifar10": 10_000, "banking77": None}
PER_CLASS = {"cifar10": (20, 5), "banking77": (5,)}
SAID = (
    "images are seen",
    "texts are seen",
    "texts become",
    "embedding",
    "model:",
    "augmentation:",
    "verdict",
    "dlp:",
)


def data_of(name: str, source: Path, out: Path) -> tuple[Path, list[str], np.ndarray]:
    """The DATA of a command without any label, and by row of the source its id and the name of its class."""
    table = pq.read_table(required(source / name / "train.parquet")).slice(0, ROWS[name])
    names_C = json.loads((table.schema.metadata or {})[b"class_names"])
    labels_N = np.array(names_C)[table.column("label").to_numpy()]
    if name == "banking77":
        ids = [str(row) for row in range(table.num_rows)]
        order = np.random.default_rng(0).permutation(table.num_rows)  # the file is sorted by class
        shown = pa.table({"id": ids, "text": table.column("text")}).take(order)
        pq.write_table(shown, out / "texts.parquet")
        return out / "texts.parquet", ids, labels_N
    folder = out / "photos"
    folder.mkdir()
    ids = [f"{row:05d}.jpg" for row in range(table.num_rows)]
    for name_of, image in zip(ids, table.column("image").to_pylist(), strict=True):
        (folder / name_of).write_bytes(image["bytes"])
    return folder, ids, labels_N


def answer(data: Path, ids: Sequence[str], labels_N: np.ndarray, given_N: np.ndarray, out: Path) -> dict[str, Any]:
    """Runs the command; the share of unlabeled rows that it labels right, seconds, and what it said."""
    write_csv(out / "labels.csv", ["id", "label"], [[ids[row], labels_N[row]] for row in np.flatnonzero(given_N)])
    command = [sys.executable, "-m", "labelprop", "train", data, "--labels", out / "labels.csv", "--out", out / "run"]
    cache = out.parent / "cache"
    filled, environment = cache.exists(), os.environ | {"LABELPROP_CACHE": str(cache)}
    began, used = time.perf_counter(), _processor_seconds()
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    found = pq.read_table(out / "run" / "labels.parquet", columns=["id", "label"])
    label_of = dict(zip(*(found.column(name).to_pylist() for name in ("id", "label")), strict=True))
    right_U = [label_of[ids[row]] == labels_N[row] for row in np.flatnonzero(~given_N)]
    stages = json.loads((out / "run" / "run.json").read_text(encoding="utf-8"))["stages"]
    return {
        "unlabeled": round(statistics.mean(right_U), 4),
        "cache": "filled" if filled else "empty",
        "seconds": round(seconds, 1),
        "processor_seconds": round(_processor_seconds() - used, 1),
        "stages": {name: round(usage["seconds"], 1) for name, usage in stages.items()},
        "said": [line for line in done.stderr.splitlines() if line.startswith(SAID) and "% of the work" not in line],
    }


def _processor_seconds() -> float:
    """Of all commands that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(name: str, data: Path, out: Path, per_class: Sequence[int], splits: int) -> None:
    """All splits of one set, each saved when it is done."""
    shown, ids, labels_N = data_of(name, data, out)
    for few in per_class:
        for split in range(splits):
            given_N = draw_nested(labels_N, np.random.default_rng(split)) < few
            place = out / f"{few}-{split}"
            place.mkdir()
            made = provenance()  # before the work: the commit may move while it runs
            found = {"set": name, "per_class": few, "split": split} | answer(shown, ids, labels_N, given_N, place)
            print({key: found[key] for key in ("set", "per_class", "split", "unlabeled", "seconds")}, flush=True)
            _keep(made | found)


def _keep(row: dict[str, Any]) -> None:
    """Into the file, in place of an earlier one of the same split."""
    path = RESULTS / f"{NAME}.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []

    def place(run: dict[str, Any]) -> tuple[Any, ...]:
        return run["set"], -run["per_class"], run["split"]

    runs = sorted([run for run in kept if place(run) != place(row)] + [row], key=place)
    means: dict[str, float] = {}
    for run in runs:
        same = [other["unlabeled"] for other in runs if place(other)[:2] == place(run)[:2]]
        means[f"{run['set']}, {run['per_class']} a class"] = round(statistics.mean(same), 4)
    save(NAME, {"mean": means, "runs": runs})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds cifar10/ and banking77/")
    parser.add_argument("--sets", default=",".join(ROWS), help="of these; default all")
    parser.add_argument("--labels", help="a class; default 20,5 of images and 5 of texts")
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--out", type=Path, help="a new folder to keep data and runs in; default: they are removed")
    options = parser.parse_args()
    for name in options.sets.split(","):
        per_class = PER_CLASS[name] if options.labels is None else tuple(map(int, options.labels.split(",")))
        with tempfile.TemporaryDirectory() as folder:
            out = (options.out or Path(folder)) / name
            out.mkdir(parents=True)
            measure(name, options.data, out, per_class, options.splits)


if __name__ == "__main__":
    main()
