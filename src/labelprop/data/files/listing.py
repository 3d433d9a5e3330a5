"""All files below a folder: images, tables, and what is left out, with the reason."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal

from labelprop.core.errors import RequestError
from labelprop.core.text import composed
from labelprop.data.files.skipped import Kind, Skipped
from labelprop.data.images.kinds import is_image_name
from labelprop.data.tables.kinds import table_kind

_SYSTEM_NAMES = frozenset(  # beside all names that begin with a dot; of macOS, Windows, Synology, QNAP, Linux
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
    | {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "lost+found"}
)
_HF_MARKERS = ("dataset_info.json", "dataset_dict.json", "state.json")  # that `datasets` writes
_VIDEOS = frozenset(
    {".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".mts", ".m2ts", ".flv"}
)
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Paths relative to `root`, sorted. System parts and runs are skipped.

    `folders` are the names on its first level, without those that hold files and no image.
    """

    root: Path
    folders: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def shards(self) -> list[str]:
        """The tables that are one table: those on the first level, where there are no images."""
        return [] if self.images else [name for name in self.tables if os.sep not in name]

    def leave_out(self, name: str, reason: str, kind: Kind = "other", n_files: int = 1) -> None:
        self.skipped.append(Skipped(shown_name(name), reason, kind=kind, n_files=n_files))


def is_hf_folder(path: Path) -> bool:
    """Whether a folder was written by `datasets.save_to_disk`."""
    return any((path / marker).is_file() for marker in _HF_MARKERS)


def shown_name(name: str) -> str:
    """A file name as text, composed: `/` between folders, bytes that are not UTF-8 as \\xNN."""
    return composed(os.fsencode(name).decode("utf-8", "backslashreplace").replace(os.sep, "/"))


def list_files(root: Path) -> FolderFiles:
    """All files below `root`; links are followed, each real folder is entered once.

    Raises RequestError where `root` itself cannot be read.
    """
    found, visited = FolderFiles(root), set()
    folders = [""]  # still to be entered, the next one last
    while folders:
        folder = folders.pop()
        path = os.path.join(root, folder)
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in visited:
                continue
            visited.add((status.st_dev, status.st_ino))
            below = _sort_entries(found, folder, path)
        except OSError as error:
            reason = error.strerror or str(error)
            if not folder:
                raise RequestError(f"cannot read the folder '{root}': {reason}.") from error
            found.leave_out(f"{folder}/", f"the folder cannot be read: {reason.lower()}", "unreadable")
            continue
        if not folder:
            found.folders.extend(below)
        folders += reversed(below)
    for names in (found.images, found.tables):
        names.sort()
    of_images = {_first(name) for name in found.images}
    others = {_first(shown_name(name)) for name in found.tables}
    others |= {_first(skip.id) for skip in found.skipped if skip.kind != "unreadable"}
    found.folders[:] = [name for name in found.folders if name in of_images or shown_name(name) not in others]
    return found


def _sort_entries(found: FolderFiles, folder: str, path: str) -> list[str]:
    """Lists what is in one folder; returns the folders in it that are to be entered."""
    below = []
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name, kind = os.path.join(folder, entry.name), _kind(entry)
            if kind == "folder" and not _is_system(entry.name):
                if os.path.isfile(os.path.join(entry.path, "run.json")):  # written with --out in here
                    found.leave_out(f"{name}/", "a labelprop run", "run", _n_files(entry.path))
                else:
                    below.append(name)
            else:
                _sort_in(found, name, entry, kind)
    return below


def _n_files(folder: str) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def _first(name: str) -> str:
    """The first part of a path with folders."""
    return name.replace(os.sep, "/").partition("/")[0]


def _is_system(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _kind(entry: os.DirEntry[str]) -> Literal["file", "folder", "special", "nowhere"]:
    """What an entry is, or leads to, mostly without asking the disk again."""
    try:
        if entry.is_file():
            return "file"
        if entry.is_dir():
            return "folder"
        return "nowhere" if entry.is_symlink() else "special"
    except OSError:  # links in a circle
        return "nowhere"


def _sort_in(found: FolderFiles, name: str, entry: os.DirEntry[str], kind: str) -> None:
    """Puts an entry that is not entered into the list where it belongs."""
    suffix = PurePath(name).suffix.lower()
    if _is_system(entry.name):
        folder = kind == "folder"
        n_files = _n_files(entry.path) if folder else 1
        if n_files:
            found.leave_out(f"{name}/" if folder else name, "hidden or of the system", "system", n_files)
    elif kind == "special":
        found.leave_out(name, "a pipe or device, not a file")  # opening it could wait forever
    elif is_image_name(name):
        found.images.append(name)  # also a link that leads nowhere: reading it gives the reason
    elif kind == "nowhere":
        found.leave_out(name, "a link that leads nowhere")
    elif table_kind(PurePath(name)) is not None:
        found.tables.append(name)
    elif suffix in _VIDEOS:
        found.leave_out(name, "a video: extract its frames as images, for instance with ffmpeg")
    elif suffix in _ARCHIVES:
        found.leave_out(name, "an archive: unpack it to have its files read")
    else:
        found.leave_out(name, "not an image")
