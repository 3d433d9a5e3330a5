from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns
from labelprop.data.sources.folder import FolderSource

SOURCE = FolderSource()


def test_claims_folders_but_not_those_of_datasets(tmp_path: Path) -> None:
    assert SOURCE.claims(str(tmp_path))
    (tmp_path / "state.json").write_text("{}")
    assert not SOURCE.claims(tmp_path)
    assert not SOURCE.claims(tmp_path / "none")


def test_class_folders_without_images_are_declared(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    put_image(tmp_path / "cat" / "1.PNG")
    for name in ("dog", "unlabeled", ".git"):
        (tmp_path / name).mkdir()
    found = SOURCE.read(tmp_path, Columns())
    assert found.declared == ("cat", "dog")
    assert list(found.ids) == ["cat/1.PNG"]


def test_a_run_in_the_folder_and_folders_of_other_files_are_no_classes(
    tmp_path: Path, put_image: Callable[..., Path]
) -> None:
    for name in ("cat/1.png", "dog/2.png", "out/pictures/3.png", "more/runs/first/4.png"):
        put_image(tmp_path / name)
    for name in (
        "out/run.json",
        "out/.lock",
        "more/runs/first/run.json",
        "notes/a.txt",
        "tables/t.csv",
        "begun/.lock",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found = SOURCE.read(tmp_path, Columns())
    assert (found.declared, list(found.ids)) == (("cat", "dog"), ["cat/1.png", "dog/2.png"])
    assert {skip.id: (skip.kind, skip.n_files) for skip in found.skipped} == {
        **{"out/": ("run", 3), "more/runs/first/": ("run", 2)},
        **{"notes/a.txt": ("other", 1), "tables/t.csv": ("other", 1), "begun/.lock": ("system", 1)},
    }
    _, findings = inspect_data(tmp_path)
    why = "2 not read as examples, 5 in a labelprop run, 1 hidden or of the system"
    assert findings[-1].text == f"10 files: 2 used, 8 skipped ({why}), 0 refused."
    told: list[str] = []
    open_samples(tmp_path, warn=told.append)
    assert any("5 files skipped (a labelprop run): 'out/', 'more/runs/first/'" in text for text in told)


def test_columns_are_refused(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="is a folder of images and has no columns"):
        SOURCE.read(put_image(tmp_path / "1.png").parent, Columns(label="y"))


def test_two_names_that_look_the_same_are_refused(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    source = put_image(tmp_path / "in" / "caf\\xe9.png")
    try:
        with open(os.fsencode(tmp_path) + b"/in/caf\xe9.png", "wb") as handle:
            handle.write(source.read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(DataError, match=r"two files in .* are both shown as"):
        SOURCE.read(tmp_path / "in", Columns())


def test_beside_tables_other_files_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\nx\n")
    (tmp_path / "README.md").write_text("x")
    (skipped,) = SOURCE.read(tmp_path, Columns()).skipped
    assert (skipped.id, skipped.reason) == ("README.md", "not a table")
