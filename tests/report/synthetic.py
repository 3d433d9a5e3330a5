"""Run folders as `labelprop train` and `propagate` leave them, made up from a few numbers and a seed."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from report.synthetic_analyses import add_analyses

WORDS = ("quick", "brown", "foxes", "jump", "over", "seven", "lazy", "wizards", "with", "jars", "of", "marmalade")


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a made-up run looks like."""

    n: int = 240
    classes: tuple[str, ...] = tuple("0123456789")
    given: int = 3  # a class
    kind: str = "digits"  # "digits", "color", "vector" or "text"
    truth: float = 1.0  # share of unlabeled rows whose truth is known
    errors: float = 0.06
    certainty_helps: bool = True  # errors lie where the certainty is low
    unreached: int = 0
    verb: str = "train"
    shown: int = 10_000
    picture: int = 64  # longer side of a color picture
    certainty: float | None = None  # the same for all
    ids: tuple[str, ...] = ()  # of the last rows
    skipped: int = 0
    test: int = 0
    baseline_errors: int | None = -1  # -1: half as many again
    hidden: tuple[int, int, int] | None = None  # found again of the given labels: this run, labels only, nearest
    compared: bool = True  # with baselines
    analyses: bool = False  # the numbers of a monitor and embeddings of some rows
    command: str = ""
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=lambda: {"model": "small_cnn", "augment": "shift", "seed": 0})


def write_run(folder: Path, spec: Spec) -> Path:
    """Writes the files of a finished run into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(spec.seed)
    c = len(spec.classes)
    true_N = np.arange(spec.n) % c
    rng.shuffle(true_N)
    given_N = np.zeros(spec.n, dtype=bool)
    for code in range(c):
        given_N[np.flatnonzero(true_N == code)[: spec.given]] = True
    pool_M = np.flatnonzero(~given_N)
    unreached_N = np.zeros(spec.n, dtype=bool)
    unreached_N[pool_M[: spec.unreached]] = True
    certainty_N, wrong_N = _certainty(rng, spec, given_N, unreached_N)
    label_N = np.where(wrong_N, (true_N + 1 + (rng.random(spec.n) < 0.3)) % c, true_N)
    known_N = ~given_N & (rng.random(spec.n) < spec.truth)
    margin_N = np.where(unreached_N, 0, np.maximum(0, 2 * certainty_N - 1))
    ids = [*(_id(spec, i, given_N[i], true_N[i]) for i in range(spec.n - len(spec.ids))), *spec.ids]
    source = np.where(given_N, "given", "predicted" if spec.verb == "train" else "propagated")
    source[unreached_N] = "unreached"
    names = np.array([*spec.classes, ""], dtype=object)

    def texts(code_N: np.ndarray, keep_N: np.ndarray) -> pa.Array:
        return pa.array(
            [str(names[k]) if keep else None for k, keep in zip(code_N, keep_N, strict=True)], pa.string()
        )

    labels = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "label": texts(label_N, ~unreached_N),
            "certainty": pa.array(certainty_N, pa.float32()),
            "margin": pa.array(np.where(given_N, 1, margin_N), pa.float32()),
            "source": pa.array(source.tolist(), pa.string()),
            "accepted": pa.array([True if given else None for given in given_N], pa.bool_()),
        }
    )
    pq.write_table(labels, folder / "labels.parquet")
    shown_N = np.zeros(spec.n, dtype=bool)
    shown_N[: spec.shown] = True
    second_N = (label_N + 1) % c
    looks_like_N = np.where(wrong_N & (rng.random(spec.n) < 0.6), label_N, true_N)
    place_N2 = _places(rng, looks_like_N, c)
    has_picture = spec.kind in ("digits", "color")
    evidence = pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "truth": texts(true_N, known_N),
            "second": texts(second_N, np.full(spec.n, c > 1) & ~unreached_N),
            "second_share": pa.array((1 - certainty_N) / 2, pa.float32()),
            "x": pa.array(
                [float(x) if on else None for x, on in zip(place_N2[:, 0], shown_N, strict=True)], pa.float32()
            ),
            "y": pa.array(
                [float(y) if on else None for y, on in zip(place_N2[:, 1], shown_N, strict=True)], pa.float32()
            ),
            "shown": pa.array(shown_N),
            "picture": pa.array(
                [
                    _picture(rng, spec, int(k)) if has_picture and on else None
                    for k, on in zip(true_N, shown_N, strict=True)
                ],
                pa.binary(),
            ),
            "text": pa.array([_text(rng) if spec.kind == "text" else None for _ in range(spec.n)], pa.string()),
        }
    )
    pq.write_table(evidence, folder / "evidence.parquet")
    _write_facts(folder, spec, known_N & ~unreached_N, wrong_N, known_N & unreached_N)
    if spec.analyses:
        add_analyses(folder, true_N, given_N, c)
    return folder


def _certainty(
    rng: np.random.Generator, spec: Spec, given_N: np.ndarray, unreached_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    ease_N = rng.random(spec.n)
    certainty_N = 1 - 0.5 * (1 - ease_N) ** 6 - 0.002 - 0.04 * rng.random(spec.n)
    if spec.certainty is not None:
        certainty_N[:] = spec.certainty
    chance_N = spec.errors * (7 * (1 - ease_N) ** 6 if spec.certainty_helps else np.ones(spec.n))
    wrong_N = (rng.random(spec.n) < chance_N) & ~given_N & ~unreached_N & (len(spec.classes) > 1)
    if spec.errors >= 1:
        wrong_N = ~given_N & ~unreached_N
    certainty_N = np.where(given_N, 1, np.where(unreached_N, 0, certainty_N))
    return certainty_N, wrong_N


def _id(spec: Spec, i: int, given: bool, code: int) -> str:
    if spec.kind in ("digits", "color"):
        return f"class{code}/{i:05d}.png" if given else f"unlabeled/{i:05d}.png"
    return str(i)


def _places(rng: np.random.Generator, true_N: np.ndarray, c: int) -> np.ndarray:
    angle_N = 2 * np.pi * true_N / c
    center_N2 = np.stack([np.cos(angle_N), np.sin(angle_N)], 1) * (0.55 + 0.45 * (true_N % 3) / 2)[:, None] * 10
    return center_N2 + rng.normal(size=(len(true_N), 2)) * (0.8 if c <= 10 else 0.35)


@cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    found = load_digits()
    return (255 - found.images * 15.9).astype(np.uint8), found.target


def _picture(rng: np.random.Generator, spec: Spec, code: int) -> bytes:
    out = io.BytesIO()
    if spec.kind == "digits":
        images, targets = _digits()
        same = np.flatnonzero(targets == code % 10)
        Image.fromarray(images[rng.choice(same)]).save(out, "PNG")
        return out.getvalue()
    longer, shorter = spec.picture, spec.picture * 3 // 4
    width, height = (longer, shorter) if rng.random() < 0.5 else (shorter, longer)
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    channels = [across, down, 0.5 + 0.5 * np.sin(8 * (across + down) + code)]
    noisy = np.stack(channels, 2) * 200 + rng.integers(0, 55, (height, width, 3))
    Image.fromarray(noisy.astype(np.uint8)).save(out, "WEBP", quality=80)
    return out.getvalue()


def _text(rng: np.random.Generator) -> str:
    return " ".join(rng.choice(WORDS, rng.integers(6, 70)))


def _write_facts(folder: Path, spec: Spec, known_N: np.ndarray, wrong_N: np.ndarray, unreached_N: np.ndarray) -> None:
    n, wrong = int(known_N.sum()), int((known_N & wrong_N).sum())
    accuracy = round(1 - wrong / n, 6) if n else None
    recipe = "dlp" if spec.verb == "train" else "diffusion"
    metrics: dict[str, Any] = {
        "format": 1,
        "recipe": recipe,
        "classes": list(spec.classes),
        "n": spec.n,
        "unlabeled": {"n": n, "accuracy": accuracy},
        "test": {"n": spec.test, "accuracy": 0.96, "top5": None} if spec.test else None,
        "seconds": 297.0,
        "peak_memory_bytes": 812_000_000,
    }
    if spec.verb == "train":
        other = min(n, wrong + max(1, wrong // 2)) if spec.baseline_errors == -1 else spec.baseline_errors
        share = 1 - other / n if n and other is not None else None
        metrics["baseline"] = {
            "unlabeled": share,
            "test": 0.94 if spec.test else None,
            "unlabeled_wrong": other if n else None,
        }
        metrics["propagation_only"] = {"unlabeled": max(0.0, 1 - 1.8 * wrong / n) if n else None}
        (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in history(accuracy)))
        (folder / "model.json").write_text("{}")
    elif spec.compared:
        all_n = int((known_N | unreached_N).sum())
        other = wrong + 5 if spec.baseline_errors == -1 else spec.baseline_errors or 0
        for name, errors, kind in (
            ("baseline", other, {"kind": "logistic regression"}),
            ("nearest_label", other + 9, {}),
        ):
            measured = {"unlabeled": 1 - errors / all_n, "unlabeled_wrong": errors} if n else {"unlabeled": None}
            metrics[name] = kind | measured | {"agreement": 0.9}
        if spec.hidden is not None:
            names = ("right", "baseline_right", "nearest_label_right")
            found = dict(zip(names, spec.hidden, strict=True))
            metrics["hidden_labels"] = {"n": spec.given * len(spec.classes), "folds": spec.given} | found
    (folder / "metrics.json").write_text(json.dumps(metrics))
    noun = {"digits": "image", "color": "image", "text": "text"}.get(spec.kind, "example")
    verb = f"labelprop {spec.verb}"
    method = "--recipe dlp" if spec.verb == "train" else "--method diffusion"
    about = {
        "command": spec.command or f"{verb} /home/someone/digits --truth truth.csv {method} --out runs/digits",
        "name": "digits",
        "recipe": recipe,
        "date": "2026-11-20T13:00:00",
        "settings": spec.settings,
        "versions": {"labelprop": "0.1.0", "torch": "2.13.0"},
        "device": "cpu, 2 threads",
        "skipped": [{"id": f"bad{i}.png", "reason": "cannot be decoded"} for i in range(spec.skipped)],
        "classes": list(spec.classes),
        "stages": {"train": {"seconds": 280.0, "peak_memory_bytes": 812_000_000}, "report": {"seconds": 4.2}},
        "projection": "t-SNE",
        "noun": noun,
        "verdict": {"converged": False, "steps": 20, "residual": 8e-4, "recall": 0.987}
        if spec.verb != "train"
        else {},
        "status": "finished",
    }
    if spec.verb == "train":
        del about["verdict"]
    (folder / "run.json").write_text(json.dumps(about))


def history(accuracy: float | None, epochs: int = 24, first: int = 6) -> list[dict[str, Any]]:
    """Two phases of this run, and the baseline beside it."""
    lines = []
    for training in ("dlp", "baseline"):
        for epoch in range(1, epochs + 1):
            main = training == "dlp" and epoch > first
            loss = 0.29 + 1.2 * 0.4**epoch + (0.15 if main else 0)
            end = accuracy if main else accuracy - 0.012 if accuracy is not None else None
            monitor = {} if end is None else {"accuracy": round(end - 0.2 * 0.45**epoch, 6)}
            phase = "dlp" if main else "supervised"
            line = {"training": training, "phase": phase, "epoch": epoch, "step": epoch * 10, "seconds": 1.0}
            lines.append(line | {"lr": 0.05, "loss": loss, "terms": {}, "monitor": monitor})
    return lines
