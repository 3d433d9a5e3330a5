"""`bench`: opens or continues a bench's folder, runs the bench and says where its table is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labelprop.bench.cells import CELLS, Work
from labelprop.core import registry
from labelprop.core.bench_entries import BENCH_SETTINGS
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.files import json_setting
from labelprop.core.run_folder import RunFolder
from labelprop.runs.requests import BenchRequest

FORMAT = 1

# The settings of a bench that all cells in a folder must have in common, where these are not all: the rest says
# which cells are wanted, and a folder takes those of several calls.
COMMON_SETTINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("small", "recipes"), ("scale", "precision")),
    "order": ("scale",),
    **dict.fromkeys(("paper-cifar10", "paper-cifar100", "paper-mini-imagenet", "paper-imagenet"), ()),
}


def run_bench(request: BenchRequest) -> str:
    """Runs a bench on the sets under `data`; cells and tables go to its folder, where a restart continues.

    Returns the tables as Markdown. Raises RequestError for a wrong name, setting, data folder, or a folder that
    holds something else.
    """
    name, out, settings = request.name, request.folder, request.settings
    defaults = registry.parameters("benches", name)
    for setting in settings:
        if setting not in defaults:
            raise UnknownNameError(f"setting of bench {name}", setting, defaults)
    _check_numbers(settings)
    if not request.data.is_dir():
        raise RequestError(f"--data {request.data} is not a folder; it must hold one folder a data set.")
    from labelprop.runs.record import versions  # torch is not loaded before the request is checked

    run = registry.lookup("benches", name).load()
    work: Work = run(request.data, **settings)  # refuses what it must before anything is replaced
    asked = {"bench": name, "settings": json_setting({**defaults, **settings})}
    if out.exists() and not request.overwrite:
        _check_same(out, asked)
    folder = RunFolder.open(out, "overwrite" if request.overwrite else "resume")
    try:
        record = {"format": FORMAT, **asked, "date": datetime.now(UTC).isoformat(timespec="seconds")}
        folder.write_json("run.json", record | {"versions": versions(), "status": "running"})
        text = work(folder, request.reporter)
        folder.write_json("run.json", record | {"versions": versions(), "status": "finished"})
    except RequestError:
        if not (folder.path / CELLS).exists():  # as if it had not been called: other settings may follow
            (folder.path / "run.json").unlink(missing_ok=True)
        raise
    finally:
        folder.close()
    return text


def _check_numbers(settings: Mapping[str, Any]) -> None:
    """Whatever is a number says how many, and none at all would be an empty table; `split` is a seed."""
    for name, value in settings.items():
        if name != "split" and isinstance(value, int | float) and not 0 < value < math.inf:
            raise RequestError(f"--{name.replace('_', '-')} {value} must be above 0. {BENCH_SETTINGS[name]}")


def _check_same(out: Path, asked: Mapping[str, Any]) -> None:
    RunFolder.check(out, "resume")
    before = RunFolder(out).read_json("run.json")
    if before and _common(before) != _common(asked):
        raise RequestError(
            f"--out {out} holds another bench or other settings ({before.get('bench')}, {before.get('settings')}); "
            "choose another folder, or replace it with --overwrite."
        )


def _common(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The bench, and those of its settings that every cell in a folder shares."""
    name, settings = record.get("bench", ""), record.get("settings", {})
    return name, *(settings.get(key) for key in COMMON_SETTINGS.get(name, sorted(settings)))
