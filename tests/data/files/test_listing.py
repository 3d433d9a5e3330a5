"""Every file below a folder is listed once: to be read, or skipped with a reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labelprop.core.errors import RequestError
from labelprop.data.files.listing import list_files, shown_name
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.samples import open_samples
from labelprop.data.source import NO_COLUMNS
from labelprop.data.sources.folder import FolderSource


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_system_parts_are_skipped_at_every_depth_and_are_no_classes(
    tmp_path: Path, put_image: Callable[..., Path]
) -> None:
    for seed, name in enumerate(["red/0.png", "red/1.png", "green/in/2.png", "unlabeled/3.png"]):
        put_image(tmp_path / name, seed=seed)
    for name in (
        *("@eaDir/0.png/THUMB_M.png", "red/@eaDir/0.png/THUMB_M.png", "green/in/@eaDir/x/y/T.png", "@EADIR2/x.txt"),
        *("__MACOSX/red/._0.png", "red/._0.png", ".cache/a/b.png", "Thumbs.db", "red/THUMBS.DB", "green/desktop.ini"),
        *("#recycle/old.png", "$RECYCLE.BIN/x.png"),
    ):
        touch(tmp_path / name)
    (tmp_path / "lost+found").mkdir()
    found = list_files(tmp_path)
    assert found.images == ["green/in/2.png", "red/0.png", "red/1.png", "unlabeled/3.png"]
    assert found.folders == ["green", "red", "unlabeled"]
    assert {skip.id: skip.n_files for skip in found.skipped if skip.kind == "system"} == {
        **{"@eaDir/": 1, "red/@eaDir/": 1, "green/in/@eaDir/": 1, "__MACOSX/": 1, "red/._0.png": 1, ".cache/": 1},
        **{"Thumbs.db": 1, "red/THUMBS.DB": 1, "green/desktop.ini": 1, "#recycle/": 1, "$RECYCLE.BIN/": 1},
    }
    assert len(found.images) + len(found.tables) + sum(skip.n_files for skip in found.skipped) == 4 + 12
    raw = FolderSource().read(tmp_path, NO_COLUMNS)
    assert raw.given == ["green", "red", "red", None]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("clip.MP4", "a video: extract"),
        ("more.zip", "an archive: unpack"),
        ("notes.txt", "not an image"),
        ("no_ending", "not an image"),
        ("model.pt", "not an image"),
    ],
)
def test_what_is_no_image_has_a_reason(tmp_path: Path, name: str, reason: str) -> None:
    touch(tmp_path / "sub" / name)
    (skipped,) = list_files(tmp_path).skipped
    assert (skipped.id, skipped.kind, skipped.row) == (f"sub/{name}", "other", None)
    assert skipped.reason.startswith(reason)


def make_hostile(root: Path, put_image: Callable[..., Path]) -> None:
    """A folder of everything that goes wrong."""
    whole = put_image(root / "red" / "0.png", (30, 30)).read_bytes()
    put_image(root / "green" / "1.png", (30, 30), seed=1)
    put_image(root / "x.jpg" / "in" / "2.png", (30, 30), seed=2)  # a folder of that name
    for name, content in {"empty.png": b"", "cut.png": whole[:200], "text.png": b"no"}.items():
        touch(root / "red" / name, content)
    for name in ("blue/a.HEIC", "b.svs", "raw.CR2", "scan.dcm", "clip.mp4", "labels.csv", "@eaDir/x", ".hidden/y"):
        touch(root / name)
    (root / "loop").symlink_to(root)
    (root / "self.png").symlink_to(root / "self.png")
    (root / "nowhere.png").symlink_to(root / "none.png")
    (root / "nowhere.txt").symlink_to(root / "none.txt")
    (root / "link.png").symlink_to(root / "green" / "1.png")
    (root / "dark.png").symlink_to("/proc/self/mem")  # a file that even root cannot read from its beginning
    os.mkfifo(root / "pipe.png")
    with open(os.fsencode(root) + b"/caf\xe9.png", "wb") as handle:
        handle.write(whole)


def test_the_files_of_a_hostile_tree_add_up(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    make_hostile(tmp_path, put_image)
    samples, findings = inspect_data(tmp_path, {"green/1.png": "red", "red/0.png": "red"})
    assert samples is not None
    assert samples.ids == ("caf\\xe9.png", "green/1.png", "link.png", "red/0.png", "x.jpg/in/2.png")
    why = "10 cannot be read, 4 not read as examples, 2 hidden or of the system"
    assert findings[-1].text == f"21 files: 4 used, 16 skipped ({why}), 1 refused."
    assert sum(len(files) for _, _, files in os.walk(tmp_path)) == 21
    assert samples.n_rows == 5 + 10
    reasons = {skip.id: skip.reason for skip in samples.skipped}
    assert "symbolic links" in reasons["self.png"]
    assert reasons["nowhere.png"] == "the file does not exist"
    assert reasons["dark.png"] == "the file is empty (0 bytes)"
    assert reasons["pipe.png"].startswith("a pipe or device")
    assert reasons["blue/a.HEIC"].startswith("no reader for .heic here: pip install pillow-heif")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    put_image(tmp_path / "a" / "0.png")
    put_image(tmp_path / "b" / "1.png").chmod(0)
    put_image(tmp_path / "c" / "2.png").parent.chmod(0)
    try:
        samples, findings = inspect_data(tmp_path)
    finally:
        (tmp_path / "c").chmod(0o700)
    assert samples is not None
    assert {skip.id: skip.reason for skip in samples.skipped} == {
        "b/1.png": "permission denied",
        "c/": "the folder cannot be read: permission denied",
    }
    assert findings[-1].text == "3 files: 1 used, 2 skipped (2 cannot be read), 0 refused."


def test_a_folder_that_fails_below_is_skipped_and_at_the_top_refused(
    tmp_path: Path, put_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_image(tmp_path / "a" / "0.png")
    put_image(tmp_path / "c" / "2.png")
    scandir = os.scandir

    def refusing(path: str) -> os.ScandirIterator[str]:
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    name = "/c"
    found = list_files(tmp_path)
    assert found.images == ["a/0.png"]
    assert [(skip.id, skip.kind) for skip in found.skipped] == [("c/", "unreadable")]
    with pytest.raises(RequestError, match=r"'c/'.*leave --strict out"):
        open_samples(tmp_path, strict=True)
    name = tmp_path.name + "/"
    with pytest.raises(RequestError, match=r"cannot read the folder .*Permission denied"):
        list_files(tmp_path)


def test_where_nothing_can_be_opened_all_is_refused_or_skipped(
    tmp_path: Path, put_image: Callable[..., Path]
) -> None:
    touch(tmp_path / "videos" / "a.mp4")
    assert inspect_data(tmp_path / "videos")[1][-1].text.startswith("1 file: 0 used, 1 skipped")
    touch(tmp_path / "dark" / "a.heic")
    samples, findings = inspect_data(tmp_path / "dark")
    assert samples is not None
    assert findings[0].severity == "blocking"
    assert findings[-1].text == "1 file: 0 used, 1 skipped (1 cannot be read), 0 refused."
    put_image(tmp_path / "twice" / "caf\\xe9.png")
    with open(os.fsencode(tmp_path) + b"/twice/caf\xe9.png", "wb"):
        pass
    assert inspect_data(tmp_path / "twice")[1][-1].text == "2 files: 0 used, 0 skipped, 2 refused."


def test_shown_names() -> None:
    assert shown_name(os.path.join("a b", "ü.png")) == "a b/ü.png"
    assert shown_name(os.fsdecode(b"caf\xe9")) == "caf\\xe9"
