"""A data source of somebody else's package: one file that imports from `labelprop.data.sources` alone."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from labelprop.core import registry
from labelprop.core.errors import DataError
from labelprop.data.labels.join import join_labels
from labelprop.data.samples import open_samples

SOURCE = '''
"""fastText files: a line an example, `__label__spam some words`; without a label where there is none."""

from labelprop.data.sources import NO_COLUMNS, DataError, Entry, RawData, RequestError, as_path

MARK = "__label__"


class FastText:
    def claims(self, data):
        path = as_path(data)
        return path is not None and path.suffix == ".fasttext"

    def read(self, data, columns):
        if columns != NO_COLUMNS:
            raise RequestError(f"{data} has no columns; leave the --...-col flags out.")
        labels, texts = [], []
        for number, line in enumerate(as_path(data).read_text(encoding="utf-8").splitlines(), start=1):
            first, _, rest = line.partition(" ")
            labels.append(first.removeprefix(MARK) if first.startswith(MARK) else None)
            texts.append(rest if labels[-1] else line)
            if not texts[-1].strip():
                raise DataError(f"{data}, line {number}: no text after the label.")
        return RawData(as_path(data).stem, ids=[str(row) for row in range(len(texts))], given=labels, texts=texts)


ENTRY = Entry("fasttext_source:FastText", "A fastText file (.fasttext).")
'''


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "fasttext_source.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("fasttext", "fasttext_source:ENTRY", "labelprop.sources")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "labelprop.sources" else [])
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()


def test_its_files_are_read_like_any_other(installed, tmp_path: Path) -> None:
    path = tmp_path / "mails.fasttext"
    path.write_text("__label__spam win now\nsee you at noon\n__label__ham thanks a lot\n", encoding="utf-8")
    samples = open_samples(path)
    assert (samples.name, samples.modality, samples.ids) == ("mails", "text", ("0", "1", "2"))
    assert samples.texts == ("win now", "see you at noon", "thanks a lot")
    assert join_labels(samples).labels_N.tolist() == [1, -1, 0]


def test_its_errors_are_its_own(installed, tmp_path: Path) -> None:
    path = tmp_path / "mails.fasttext"
    path.write_text("__label__spam \n", encoding="utf-8")
    with pytest.raises(DataError, match=r"mails\.fasttext, line 1: no text after the label"):
        open_samples(path)


def test_the_file_is_of_thirty_lines() -> None:
    assert len(SOURCE.strip().splitlines()) <= 30
