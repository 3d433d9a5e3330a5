"""CellFile: the results of a bench, kept one JSON line each as they finish, so that a restart continues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.core.files import append_json, flush, write_text
from labelprop.core.progress import Reporter
from labelprop.core.run_folder import RunFolder

# A bench whose settings are checked: runs what is missing and returns its tables as Markdown.
Work = Callable[[RunFolder, Reporter], str]

CELLS = "cells.jsonl"


class CellFile:
    """Results in a file of JSON lines. A line cut off by a kill is dropped and its cell is run again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self._read()

    def run(self, key: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The cell named by `key`: as it was saved, or computed, timed and saved now."""
        for row in self.rows:
            if all(row.get(name) == value for name, value in key.items()):
                return row
        started = time.perf_counter()
        values = dict(compute())
        row = {**key, **values, "seconds": round(time.perf_counter() - started, 3)}
        append_json(self._path, row)
        flush(self._path)
        self.rows.append(row)
        return row

    def _read(self) -> None:
        lines = self._path.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):
            lines = lines[:-1]
            write_text(self._path, "".join(lines))
        for number, line in enumerate(lines, 1):
            try:
                self.rows.append(dict(json.loads(line)))
            except ValueError as error:
                raise RequestError(f"line {number} of {self._path} is damaged ({error}); delete that line.") from None
