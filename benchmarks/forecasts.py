"""What commands say they will take against what they take: 12 of them, each in a process of its own.

Of `propagate` the forecast is that of the plan, against the seconds from that line to the end. Of `train --budget`
it is the budget, against the whole command. Of other trainings it is the first line that says how long is left once
5% is done, against the seconds from that line to the end. A refusal counts where it came within the first fifth.

    python benchmarks/forecasts.py --data DIR [--only 1,2,3]
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from common import RESULTS, provenance, save
from labelprop.core.text import parse_duration

PER_CLASS = 10
COMMANDS = (
    "propagate vectors.npy vectors-y.npy",
    "propagate vectors.npy vectors-y.npy --method auto",
    "propagate small.npy small-y.npy",
    "propagate small.npy small-y.npy --method auto",
    "propagate letter.npy letter-y.npy --method poisson",
    "propagate photos --image-size 32 --method spectral-cut",
    "train small.npy small-y.npy",
    "train photos --image-size 32 --steps 300",
    "train vectors.npy vectors-y.npy --budget 60s",
    "train photos --image-size 32 --budget 90s",
    "train texts.csv --budget 60s --recipe auto",
    "train photos --budget 60s",
)
LEFT = re.compile(r": (\d+)% of the work done, (?:about )?(.+) left")


def write_data(data: Path, folder: Path) -> None:
    """Vectors, texts and photos, ten labels a class."""
    banking = data / "banking77"
    vectors = np.load(banking / "emb_minilm_train.f16.npy").astype(np.float32)
    few(folder, "vectors", vectors, np.load(banking / "labels_train.npy"))
    letters = pq.read_table(data / "letter" / "train.parquet")
    codes = np.unique(letters["label"].to_pylist(), return_inverse=True)[1]
    few(folder, "letter", np.array(letters["features"].to_pylist(), np.float32), codes)
    rows = np.random.default_rng(0).permutation(len(codes))[:1000]
    few(folder, "small", np.array(letters["features"].to_pylist(), np.float32)[rows], codes[rows])
    texts = pq.read_table(banking / "train.parquet").slice(0, 2000)
    given = labeled(np.unique(texts["label"].to_pylist(), return_inverse=True)[1])
    lines = [
        f'"{text.replace(chr(34), "")}",{label if known else ""}'
        for text, label, known in zip(texts["text"].to_pylist(), texts["label"].to_pylist(), given >= 0, strict=True)
    ]
    (folder / "texts.csv").write_text("\n".join(["text,label", *lines]), encoding="utf-8")
    write_photos(data, folder / "photos")


def write_photos(data: Path, folder: Path, n: int = 1500, side: int = 224) -> None:
    images = pq.read_table(data / "cifar10" / "train.parquet").slice(0, n)
    given = labeled(np.array(images["label"].to_pylist()))
    for row, (image, code) in enumerate(zip(images["image"].to_pylist(), given, strict=True)):
        place = folder / (f"class{code}" if code >= 0 else "unlabeled")
        place.mkdir(parents=True, exist_ok=True)
        Image.open(io.BytesIO(image["bytes"])).resize((side, side)).save(place / f"{row:05d}.jpg")


def few(folder: Path, name: str, vectors: np.ndarray, codes: np.ndarray) -> None:
    np.save(folder / f"{name}.npy", vectors)
    np.save(folder / f"{name}-y.npy", labeled(codes))


def labeled(codes: np.ndarray) -> np.ndarray:
    """Ten of each class, -1 elsewhere."""
    given, rng = np.full(len(codes), -1), np.random.default_rng(0)
    for code in np.unique(codes):
        rows = rng.permutation(np.flatnonzero(codes == code))[:PER_CLASS]
        given[rows] = code
    return given


def measure(command: str, folder: Path) -> dict[str, Any]:
    """Runs a command as a person would; the forecast that it gave, and the seconds that this was of."""
    out = folder / "runs" / command.replace(" ", "-")
    words = command.split()
    if (words[0] == "propagate" and ".npy" in words[2]) or ".npy" in words[2]:
        words.insert(2, "--labels")
    whole = [sys.executable, "-m", "labelprop", *words, "--out", str(out), "--cache", str(folder / "cache")]
    began = time.perf_counter()
    process = subprocess.Popen(whole, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    said = [(time.perf_counter() - began, line.rstrip()) for line in process.stderr]
    status, seconds = process.wait(), time.perf_counter() - began
    row: dict[str, Any] = {"command": f"labelprop {command}", "seconds": round(seconds, 1), "status": status}
    row |= forecast_of(words, said, seconds, out)
    if "--budget" in words and status:
        row["refused"] = said[-1][1]
    return row


def forecast_of(words: list[str], said: list[tuple[float, str]], seconds: float, out: Path) -> dict[str, Any]:
    if "--budget" in words:
        budget = parse_duration(words[words.index("--budget") + 1], "--budget")
        return {"forecast": budget, "taken": round(seconds, 1), "ratio": round(seconds / budget, 2)}
    if words[0] == "propagate":
        at = next(when for when, line in said if line.startswith("plan: peak"))
        promised = sum(json.loads((out / "run.json").read_text())["plan"]["seconds"].values())
    else:
        found = [(when, LEFT.search(line)) for when, line in said]
        lines = [(when, one) for when, one in found if one and int(one[1]) >= 5 and "epoch" in one.string]
        if not lines:
            return {"forecast": None, "taken": round(seconds, 1), "ratio": None}
        at, one = lines[0]
        promised = seconds_in(one[2])
    taken = seconds - at
    return {"forecast": round(promised, 1), "taken": round(taken, 1), "ratio": round(taken / promised, 2)}


def seconds_in(text: str) -> float:
    """`3 min 20 s` as seconds."""
    return sum(float(n) * {"h": 3600, "min": 60, "s": 1}[unit] for n, unit in re.findall(r"(\d+) (h|min|s)", text))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--only", default="", help="numbers of commands, from 1, with commas; others keep their rows")
    options = parser.parse_args()
    made = provenance() | {"load": os.getloadavg()[0]}
    wanted = [int(n) - 1 for n in options.only.split(",") if n] or range(len(COMMANDS))
    path = RESULTS / "forecasts.json"
    rows = {row["command"]: row for row in json.loads(path.read_text())["rows"]} if path.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        write_data(options.data.resolve(), Path(folder))
        for number in wanted:
            row = measure(COMMANDS[number], Path(folder)) | {"provenance": made}
            rows[row["command"]] = row
            print({key: value for key, value in row.items() if key != "provenance"}, flush=True)
            order = [f"labelprop {command}" for command in COMMANDS]
            save("forecasts", {"rows": [rows[name] for name in order if name in rows]})


if __name__ == "__main__":
    main()
