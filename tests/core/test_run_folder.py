from __future__ import annotations

import errno
import os

import pyarrow as pa
import pytest

from labelprop.core.errors import RequestError, StorageError
from labelprop.core.files import write_text
from labelprop.core.run_folder import RunFolder


def test_a_full_disk_while_writing_a_table(tmp_path, monkeypatch) -> None:
    import pyarrow.parquet as pq

    folder = RunFolder.open(tmp_path / "run", "refuse")
    folder.write_table("labels.parquet", pa.table({"id": ["a"]}))

    def full(*_args, **_options) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StorageError, match="free some space"):
        folder.write_table("labels.parquet", pa.table({"id": ["b"]}))
    assert folder.read_table("labels.parquet").column("id").to_pylist() == ["a"]


def test_a_second_process_is_kept_out(tmp_path) -> None:
    first = RunFolder.open(tmp_path / "run", "refuse")
    first.write_json("run.json", {"status": "running"})
    with pytest.raises(RequestError, match="in use by another labelprop process"):
        RunFolder.open(tmp_path / "run", "resume")
    first.close()
    RunFolder.open(tmp_path / "run", "resume").close()


def test_a_folder_killed_before_its_first_file_can_be_resumed(tmp_path) -> None:
    RunFolder.open(tmp_path / "run", "refuse")  # never closed: killed
    assert os.listdir(tmp_path / "run") == [".lock"]
    RunFolder.check(tmp_path / "run", "resume")


def test_a_file_is_no_folder(tmp_path) -> None:
    (tmp_path / "run").write_text("")
    for existing in ("refuse", "resume", "overwrite"):
        with pytest.raises(RequestError, match="is a file"):
            RunFolder.check(tmp_path / "run", existing)


def test_a_folder_of_something_else_is_told_at_once_and_one_of_ours_can_be_replaced(tmp_path) -> None:
    (tmp_path / "thesis").mkdir()
    for existing in ("refuse", "resume", "overwrite"):
        with pytest.raises(RequestError, match=r"is not a labelprop run .*choose another folder") as caught:
            RunFolder.check(tmp_path / "thesis", existing)
        assert "--overwrite" not in str(caught.value)
    (tmp_path / "thesis" / "run.json").write_text("{}")
    with pytest.raises(RequestError, match="continue it with --resume, or replace it with --overwrite"):
        RunFolder.check(tmp_path / "thesis", "refuse")


def test_names_that_are_not_utf8_stay_readable(tmp_path) -> None:
    name = os.fsdecode(b"caf\xe9")
    folder = RunFolder.open(tmp_path / "run", "refuse")
    folder.write_json("run.json", {"data": f"/photos/{name}", name: ["\\xe9", "\ud800", "ü"]})
    assert folder.read_json("run.json") == {"data": "/photos/caf\\xe9", "caf\\xe9": ["\\xe9", "\\ud800", "ü"]}
    folder.append_history({"phase": name})
    assert folder.history() == [{"phase": "caf\\xe9"}]
    write_text(tmp_path / "page.html", f"<p>{name}")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == "<p>caf\\xe9"


def test_history_is_cut_to_what_the_checkpoint_knows(tmp_path) -> None:
    folder = RunFolder.open(tmp_path / "run", "refuse")
    for training, epoch in (("baseline", 1), ("baseline", 2), ("dlp", 1), ("dlp", 2)):
        folder.append_history({"training": training, "epoch": epoch})
    with (folder.path / "history.jsonl").open("a") as file:
        file.write('{"training": "dlp", "epo')  # the kill came here
    folder.cut_history("baseline", 2)
    folder.cut_history("dlp", 1)
    assert [(line["training"], line["epoch"]) for line in folder.history()] == [
        ("baseline", 1), ("baseline", 2), ("dlp", 1),
    ]  # fmt: skip


def test_a_damaged_run_says_so(tmp_path) -> None:
    folder = RunFolder.open(tmp_path / "run", "refuse")
    (folder.path / "run.json").write_text("{")
    with pytest.raises(RequestError, match=r"run.json cannot be read .*train it again"):
        folder.read_json("run.json")
    with pytest.raises(RequestError, match=r"labels.parquet does not exist; finish the run with --resume"):
        folder.read_table("labels.parquet")


@pytest.mark.parametrize("below", ["file", "file/deeper"])
def test_a_folder_that_cannot_be_made_is_refused_before_any_work(tmp_path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="Not a directory"):
        RunFolder.check(tmp_path / below / "run", "refuse")


def test_the_check_leaves_nothing_behind(tmp_path) -> None:
    RunFolder.check(tmp_path / "a" / "b", "refuse")
    assert list(tmp_path.iterdir()) == []
