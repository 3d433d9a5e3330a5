"""The head of run.json: what decides a training's result, and whether a continued run is the same one."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.core.files import json_setting
from labelprop.core.progress import warnings_of
from labelprop.data.files.skipped import Skipped
from labelprop.runs.inputs import Inputs, labels_digest
from labelprop.runs.prepare import PreparedTraining
from labelprop.runs.requests import NewRun
from labelprop.training.job import resolve_precision

MUST_MATCH = (  # what a finished run must have in common with the command that would continue it
    *("recipe", "settings", "model", "augment", "seed", "epochs", "steps", "budget", "baselines"),
    *("data", "labels", "backbone", "tune", "init"),
)
AS_ASKED = ("epochs", "steps", "baselines", "deterministic", "compile", "tune")  # nothing is decided about these
OTHER_WAY = "Finish it with the version of labelprop that began it, or choose another --out."
IDENTITY = (*MUST_MATCH, "deterministic", "compile", "precision", "device", "devices", "threads", "versions")


def check_same_run(previous: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RequestError where a continued run would not be the run that was interrupted."""
    different = [key for key in IDENTITY if key in previous and not _alike(previous[key], now[key])]
    if "recipe" in different:  # the rest follows from it
        different = [key for key in different if key not in ("settings", "model")]
    if not different:
        return
    differences = "; ".join(_difference(key, previous[key], now[key]) for key in different)
    if "settings" in different and _defaults_changed(previous, now):  # the same command would not help
        raise RequestError(
            f"cannot resume: recipe {now['recipe']} has other defaults since this run began: {differences}. "
            + OTHER_WAY
        )
    raise RequestError(
        f"cannot resume, this is another run: {differences}. Repeat the original command with --resume, choose "
        "another --out, or add --force, after which the result need not equal an unbroken run's."
    )


def check_same_phases(previous: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RequestError, with --force too, where the checkpoints of a training are of other phases than its recipe
    has."""
    for training, phases in now["phases"].items():
        began = previous.get("phases", {}).get(training, phases)
        if list(began) != list(phases):
            raise RequestError(
                f"cannot resume: {training} began with the phases {', '.join(began)} and would go on with "
                f"{', '.join(phases)}. {OTHER_WAY}"
            )


def _defaults_changed(previous: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether settings differ that nobody asked for, then or now. Version 0.1.0 kept no request."""
    was, settings = previous["settings"], now["settings"]
    asked = {*previous.get("request", {}).get("settings", {}), *now["request"]["settings"]}
    return not any(was.get(name) != settings.get(name) for name in asked)


def _alike(was: Any, now: Any) -> bool:
    """Whether they are equal; of a group of settings one that is newer than the run is None, as if it were not."""
    if isinstance(was, dict) and isinstance(now, dict):
        return all(was.get(name) == now.get(name) for name in {*was, *now})
    return bool(was == now)


def _difference(key: str, was: Any, now: Any) -> str:
    """'seed was 0 and is 1'; of a group of settings only those that differ, of a digest only that it does."""
    if key in ("data", "labels"):
        return f"{'the examples' if key == 'data' else 'the given labels'} are not the same"
    if isinstance(was, dict) and isinstance(now, dict):
        names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
        return "; ".join(f"{key} {name} was {was.get(name)!r} and is {now.get(name)!r}" for name in names)
    return f"{key} was {was!r} and is {now!r}"


def head(request: NewRun, inputs: Inputs) -> dict[str, Any]:
    """The first part of run.json, of any verb: the request, what the data were, and versions."""
    return {
        "format": 1,
        "name": inputs.samples.name,
        "noun": inputs.noun,
        "command": request.command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": request.seed,
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "data": inputs.samples.digest,
        "labels": labels_digest(inputs.given),
        "classes": list(inputs.given.classes),
        "label_type": inputs.given.type,
        "skipped": [_listed(skipped) for skipped in inputs.samples.skipped],
        "warnings": warnings_of(request.reporter),
        "request": request.to_json(),
    }


def _listed(skipped: Skipped) -> dict[str, Any]:
    """What run.json says of a skipped file, or of the `files` in a skipped folder."""
    return {"id": skipped.id, "reason": skipped.reason, "kind": skipped.kind, "files": skipped.n_files}


def configuration(prepared: PreparedTraining) -> dict[str, Any]:
    """The head of run.json of a training: what decides the result, and what a reader wants to know."""
    request, design, device = prepared.request, prepared.design, prepared.device
    return head(request, prepared.inputs) | {
        "recipe": design.recipe.name,
        "settings": json_setting(design.recipe.settings),
        "model": design.spec.to_json(),
        "augment": design.augment,
        "chosen": dict(design.chosen),
        **{name: json_setting(getattr(request, name)) for name in AS_ASKED},
        "budget": prepared.budget,
        "precision": resolve_precision(request.precision, device),
        "devices": prepared.group.size,
        "device": "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device),
        "backbone": design.embedded.backbone.to_json() if design.embedded.backbone else None,
        "init": None if design.start is None else design.start.digest,
        "columns": request.content_columns,
        "features": list(prepared.inputs.samples.features),
    }


def versions() -> dict[str, str]:
    return {
        "labelprop": version("labelprop"),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }
