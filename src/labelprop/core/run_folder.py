"""The folder of one run: creating and locking it, its files and its history."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from labelprop.core.errors import RequestError
from labelprop.core.files import (
    append_json,
    check_writable,
    json_line,
    printable,
    storage_errors,
    write_json,
    write_parquet,
    write_text,
)

if TYPE_CHECKING:
    import pyarrow as pa

Existing = Literal["refuse", "resume", "overwrite"]
FORMAT = 1  # of run.json
LOCK = ".lock"
RACE = "race.json"  # how `--recipe auto` chose: the trials, the choice and the reason


class RunFolder:
    """One run on disk. `RunFolder.open` decides whether an existing folder may be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    # -- opening --------------------------------------------------------------------------------------------

    @classmethod
    def check(cls, path: Path, existing: Existing, resumable: bool = True) -> None:
        """Refuses early, before any work, what `open` would refuse. Changes nothing on disk."""
        if str(path) != printable(str(path)):
            raise RequestError(
                f"--out {printable(str(path))} is not UTF-8, and not every library can write there; choose another."
            )
        if not path.exists():
            check_writable(path)
            return
        if not path.is_dir():
            raise RequestError(f"--out {path} is a file; choose a folder.")
        if not cls(path).is_ours():
            raise RequestError(
                f"--out {path} exists already and is not a labelprop run (it has no run.json); choose another folder."
            )
        if existing == "refuse":
            go_on = "continue it with --resume, " if resumable else ""
            raise RequestError(
                f"--out {path} exists already; choose another folder, {go_on}or replace it with --overwrite."
            )

    @classmethod
    def open(cls, path: Path, existing: Existing) -> RunFolder:
        """Creates, continues or replaces the folder and locks it against a second process."""
        cls.check(path, existing)
        folder = cls(path)
        with storage_errors(path):
            path.mkdir(parents=True, exist_ok=True)
        folder.lock()
        if existing == "overwrite":
            folder._empty()
        return folder

    def is_ours(self) -> bool:
        """Whether it has our run.json, or is that of a run killed before writing it."""
        try:
            names = {entry.name for entry in self.path.iterdir()}
        except OSError as error:
            raise RequestError(f"--out {self.path} cannot be read: {error.strerror}; choose another.") from error
        return "run.json" in names or names == {LOCK}

    def lock(self) -> None:
        with storage_errors(self.path / LOCK):
            self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RequestError(
                f"--out {self.path} is in use by another labelprop process; wait for it or choose another folder."
            ) from error

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
            (self.path / LOCK).unlink(missing_ok=True)
            if not any(self.path.iterdir()):  # refused before anything was written: leave nothing in the way
                self.path.rmdir()

    def _empty(self) -> None:
        with storage_errors(self.path):
            for entry in self.path.iterdir():
                if entry.name == LOCK:
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()

    # -- files ----------------------------------------------------------------------------------------------

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def read_json(self, name: str) -> dict[str, Any]:
        """The content of `name`; {} where it does not exist. RequestError where it is damaged."""
        path = self.path / name
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RequestError(f"{path} cannot be read ({error}); the run is damaged: train it again.") from error
        return dict(content)

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        write_json(self.path / name, value)

    def write_table(self, name: str, table: pa.Table) -> None:
        write_parquet(self.path / name, table)

    def read_table(self, name: str) -> pa.Table:
        import pyarrow.parquet as pq

        path = self.path / name
        if not path.exists():
            raise RequestError(f"{path} does not exist; finish the run with --resume.")
        return pq.read_table(path)

    @property
    def finished(self) -> bool:
        return self.read_json("run.json").get("status") == "finished"

    # -- history --------------------------------------------------------------------------------------------

    def append_history(self, line: Mapping[str, Any]) -> None:
        append_json(self.path / "history.jsonl", line)

    def cut_history(self, training: str, lines: int) -> None:
        """Keeps the first `lines` lines of `training`; drops its other lines and all later ones.

        A resumed run writes again what the killed run wrote after its last checkpoint.
        """
        kept, seen = [], 0
        for line in self.history():
            seen += line["training"] == training
            if seen > lines:
                break
            kept.append(json_line(line))
        path = self.path / "history.jsonl"
        if path.exists():
            write_text(path, "".join(kept))

    def history(self) -> Sequence[dict[str, Any]]:
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        found = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(dict(json.loads(line)))
            except ValueError:
                break  # the kill came in the middle of this line
        return found
