"""CellFile: the results of a bench, kept one JSON line each as they finish, so that a restart continues."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any

import torch

from labelprop.core.distributed import launch
from labelprop.core.errors import RequestError
from labelprop.core.files import append_json, flush, write_text
from labelprop.core.progress import Reporter, WarningsOnly
from labelprop.core.run_folder import RunFolder

# A bench whose settings are checked: runs what is missing and returns its tables as Markdown.
Work = Callable[[RunFolder, Reporter], str]

CELLS = "cells.jsonl"
Key = Mapping[str, Any]
Values = Mapping[str, Any]


class CellFile:
    """Results in a file of JSON lines. A line cut off by a kill is dropped and its cell is run again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[dict[str, Any]] = []
        if path.exists():
            self._read()

    def run(self, key: Key, compute: Callable[[], Values]) -> dict[str, Any]:
        """The cell named by `key`: as it was saved, or computed, timed and saved now."""
        return self._saved(key) or self._save(_timed(key, compute))

    def run_apart(
        self, cells: Sequence[tuple[Key, Callable[[Reporter], Values]]], processes: int, reporter: Reporter
    ) -> Iterator[dict[str, Any]]:
        """Computes those that are not saved, each in a process of its own, and yields them as they finish.

        So what one has done does not show in another's memory. `processes` run beside each other and share the
        threads of this one; of several only warnings are shown. What is computed must be picklable.
        """
        threads = max(1, torch.get_num_threads() // processes)
        missing = [(key, compute) for key, compute in cells if self._saved(key) is None]
        shown = reporter if processes == 1 else WarningsOnly()
        work = [
            partial(_timed, key, partial(alone, _with_threads, threads, compute, reporter=shown))
            for key, compute in missing
        ]
        if processes == 1:
            yield from (self._save(each()) for each in work)
            return
        with ThreadPoolExecutor(processes) as pool:
            try:
                for finished in as_completed([pool.submit(each) for each in work]):
                    yield self._save(finished.result())
            finally:
                pool.shutdown(cancel_futures=True)

    def _saved(self, key: Key) -> dict[str, Any] | None:
        return next((row for row in self.rows if all(row.get(name) == value for name, value in key.items())), None)

    def _save(self, row: dict[str, Any]) -> dict[str, Any]:
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


def _timed(key: Key, compute: Callable[[], Values]) -> dict[str, Any]:
    started = time.perf_counter()
    values = dict(compute())
    return {**key, **values, "seconds": round(time.perf_counter() - started, 3)}


def alone(work: Callable[..., Values], *args: Any, reporter: Reporter) -> Values:
    """What `work(*args, reporter)` returns, run in a new process."""
    return {**launch(1, work, *args, reporter=reporter), "own_process": True}


def _with_threads(threads: int, compute: Callable[[Reporter], Values], reporter: Reporter) -> Values:
    torch.set_num_threads(threads)
    return compute(reporter)
