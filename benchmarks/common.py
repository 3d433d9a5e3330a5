"""What every benchmark records about itself, and the data they share."""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("labelprop", "torch", "numpy", "scipy", "scikit-learn", "faiss-cpu", "lightning-fabric")


def provenance() -> dict[str, Any]:
    """Machine, versions, commit and command of this process."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(
            ["python", str(Path(sys.argv[0]).resolve().relative_to(ROOT)), *_relative(sys.argv[1:])]
        ),
        "commit": _git("rev-parse", "HEAD") + (" (with changes)" if _git("status", "--porcelain", "src") else ""),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "system": platform.platform(terse=True),
        },
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def save(name: str, content: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fashion_mnist/train.parquet")


def fashion_mnist(data: Path, split: str, rows: int) -> pa.Table:
    """The first `rows` rows: image struct<bytes, path> and label int64. Exits, saying what is missing."""
    path = data / "fashion_mnist" / f"{split}.parquet"
    if not path.exists():
        sys.exit(f"{path} is missing; --data must name a folder that holds fashion_mnist/{split}.parquet")
    return pq.read_table(path).slice(0, rows)


def write_split(table: pa.Table, folder: Path, per_class: int, seed: int) -> tuple[Path, Path, Path]:
    """DATA without labels, LABELS with `per_class` drawn a class, and the truth of the others."""
    folder.mkdir(parents=True, exist_ok=True)
    labels, names = table.column("label").to_numpy(), json.loads(table.schema.metadata[b"class_names"])
    generator = np.random.default_rng(seed)
    given = np.concatenate(
        [generator.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in np.unique(labels)]
    )
    data, chosen, truth = folder / "images.parquet", folder / "labels.csv", folder / "truth.csv"
    pq.write_table(table.select(["image"]), data)
    is_given = np.isin(np.arange(len(labels)), given)
    for path, rows in ((chosen, np.flatnonzero(is_given)), (truth, np.flatnonzero(~is_given))):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "label"])
            writer.writerows((int(row), names[labels[row]]) for row in rows)
    return data, chosen, truth


def _relative(arguments: list[str]) -> list[str]:
    """Paths outside the repository are shown by their last part: results name no machine's folders."""
    return [Path(argument).name if argument.startswith(("/", "..")) else argument for argument in arguments]


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
