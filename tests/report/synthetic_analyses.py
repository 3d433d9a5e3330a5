"""What a monitor leaves in a made-up run: numbers of the papers' analyses by epoch, and embeddings of some rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from labelprop.evaluation.snapshots import FOLDER, choose_followed

DIMENSIONS = 8


def add_analyses(folder: Path, true_N: np.ndarray, given_N: np.ndarray, n_classes: int, recipe: str = "dlp") -> None:
    """Numbers in every line of history.jsonl, and a look after every third epoch of this run."""
    path = folder / "history.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    rng = np.random.default_rng(1)
    chosen = choose_followed(true_N, np.where(given_N, true_N, -1), n_classes, seed=0)
    centers_CD = rng.normal(size=(n_classes, DIMENSIONS))
    noise_ND = rng.normal(size=(len(true_N), DIMENSIONS))
    own = [line for line in lines if line["training"] == recipe]
    total, before = 0, 0
    for epoch, line in enumerate(own, start=1):
        before = total if epoch > 1 and line["phase"] != own[epoch - 2]["phase"] else before
        line["step"] -= before
        total = before + line["step"]
        drawn_together = epoch / len(own)
        line["monitor"] |= _of_embedding(drawn_together, n_classes)
        if line["phase"] == recipe:
            line["monitor"] |= _of_labels(drawn_together, true_N[~given_N], n_classes)
        if epoch % 3 == 0:
            vectors_ND = drawn_together * centers_CD[true_N] + 0.6 * noise_ND
            vectors_ND = (vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)).astype(np.float16)
            (folder / FOLDER).mkdir(exist_ok=True)
            parts = {"of_classes": chosen.of_classes_S, "of_one": chosen.of_one_S}
            rows = {f"rows_{name}": rows_S for name, rows_S in parts.items()}
            vectors = {f"vectors_{name}": vectors_ND[rows_S] for name, rows_S in parts.items()}
            save_file(rows | vectors, folder / FOLDER / f"{total:09d}.safetensors")
    for line in lines:
        if line["training"] != recipe:
            line["monitor"] |= _of_embedding(0.4, n_classes)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _of_embedding(share: float, n_classes: int) -> dict[str, object]:
    of_class = [round(0.3 + 0.6 * share - 0.02 * (code % 5), 4) for code in range(n_classes)]
    return {
        "aggregation": sum(of_class) / n_classes,
        "aggregation_of_class": of_class,
        "nearest_neighbor_accuracy": round(0.6 + 0.35 * share, 4),
    }


def _of_labels(share: float, true_U: np.ndarray, n_classes: int) -> dict[str, object]:
    right_H, wrong_H = np.zeros(20, int), np.zeros(20, int)
    wrong = len(true_U) // 20
    wrong_H[8:12] = [wrong // 4] * 4
    right_H[19], right_H[10] = len(true_U) - wrong - 5, 5
    found = {
        "pseudo_label_accuracy": round(0.7 + 0.2 * share, 4),
        "weighted_pseudo_label_accuracy": round(0.75 + 0.2 * share, 4),
        "certainty_of_right": right_H.tolist(),
        "certainty_of_wrong": wrong_H.tolist(),
        "density_of_class": [1e6 * (2 + code % 7) for code in range(n_classes)],
        "assigned_to_class": (np.bincount(true_U, minlength=n_classes) + np.arange(n_classes) % 7).tolist(),
    }
    return found | ({"density_count_r": round(0.9 - 0.5 * share, 4)} if n_classes > 2 else {})
