"""What every benchmark records about itself, and the data they share."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

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
        "versions": {"python": platform.python_version(), **_versions()},
    }


def save(name: str, content: dict[str, Any]) -> Path:
    """Writes benchmarks/results/NAME.json."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def data_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder that holds fashion_mnist/train.parquet")


def _relative(arguments: list[str]) -> list[str]:
    """Paths outside the repository are shown by their last part: results name no machine's folders."""
    return [Path(argument).name if argument.startswith(("/", "..")) else argument for argument in arguments]


def _versions() -> dict[str, str]:
    """Of those that are installed: some are for comparisons alone."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
