from __future__ import annotations

import codecs
import csv
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.tables import table as tables
from labelprop.data.tables.kinds import table_kind
from labelprop.data.tables.read import read_table


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_csv_cells_stay_text(tmp_path: Path) -> None:
    path = put(tmp_path / "t.csv", "\ufeffid, label\n007,1e3\n\n2020-01-01,NA\n'x',\"a\n,b\"\n")
    table = read_table(path)
    assert table.names == ("id", "label")
    assert table.values("id") == ["007", "2020-01-01", "'x'"]
    assert table.values("label") == ["1e3", "NA", "a\n,b"]
    assert table.row(0) == f"{path}, line 2"
    assert table.row(1) == f"{path}, line 4"


def test_tsv_and_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    table = read_table(put(tmp_path / "t.tsv", b"id\tlabel\ncaf\xe9.png\t<b>'x, y'</b>\n"))
    assert table.values("id") == ["caf\\xe9.png"]
    assert table.values("label") == table.texts("label") == ["<b>'x, y'</b>"]


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("t.csv", b"id,text\n\n1,fine\n2,caf\xe9\n3,\xdcber\n", "line 4"),
        ("t.jsonl", b'{"id": 1, "text": "fine"}\n{"id": 2, "text": "caf\xe9"}\n', "line 2"),
    ],
)
def test_texts_that_are_not_utf8_are_refused_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    table = read_table(put(tmp_path / name, content))
    with pytest.raises(DataError, match=rf"{name}, {place}: 'caf\\xe9' in column text is not UTF-8.*iconv"):
        table.texts("text")
    assert table.values("text")[1] == "caf\\xe9"
    assert [str(value) for value in table.texts("id")][:2] == ["1", "2"]


def test_very_long_cells_are_read_and_the_global_limit_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    table = read_table(put(tmp_path / "t.csv", "text\n" + "x" * (before + 1)))
    assert len(table.values("text")[0]) == before + 1
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "is empty; its first line must name the columns"),
        ("id,x,y,id,y\n1,2,3,4,5\n", r"two columns of the same name: 'id', 'y'\. Rename one"),
        (",".join("abcdefghijkl") + "\n1\n", r"1 cell where the first line has 12 \(a, b, .*, h and 4 more\)"),
        ("id,label\n1,a\n2,b,c\n", r"line 3: 3 cells where the first line has 2 \(id, label\)"),
        ("id,label\n1\n", "line 2: 1 cell where"),
        ('id,label\n1,"a"b\n', "line 2: "),
    ],
)
def test_a_damaged_csv_names_the_line(tmp_path: Path, content: str, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        read_table(put(tmp_path / "t.csv", content))
    assert "t.csv" in str(caught.value)


def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table([["a"], ["b"], ["c"]], names=["x", "id", "x"]), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet has two columns of the same name: 'x'\. Rename one"):
        read_table(tmp_path / "t.parquet")


def test_json_lines_keep_their_types(tmp_path: Path) -> None:
    lines = [{"id": "007", "label": 3}, {"id": 7, "date": "2020-01-01"}]
    table = read_table(put(tmp_path / "t.jsonl", "\n".join(json.dumps(line) for line in lines) + "\n\n"))
    assert table.values("id") == ["007", 7]
    assert table.values("label") == [3, None]
    assert table.values("date") == [None, "2020-01-01"]
    with pytest.raises(DataError, match=r"line 1: not JSON"):
        read_table(put(tmp_path / "bad.jsonl", "{"))
    with pytest.raises(DataError, match=r"line 2: not a JSON object"):
        read_table(put(tmp_path / "list.jsonl", "{}\n[1]"))


def test_parquet_reads_columns_and_declared_class_names(tmp_path: Path) -> None:
    features = {"label": {"_type": "ClassLabel", "names": ["cat", "dog"]}, "id": {"dtype": "string"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    pq.write_table(pa.table({"id": ["a"], "label": [1]}).replace_schema_metadata(metadata), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    assert (table.n_rows, table.values("label"), table.codes("label"), table.codes("id")) == (
        1,
        [1],
        ("cat", "dog"),
        (),
    )
    with pytest.raises(UnknownNameError, match="did you mean 'label'"):
        table.column("lable")


def test_plain_class_names_and_foreign_metadata(tmp_path: Path) -> None:
    plain = pa.table({"y": [0]}).replace_schema_metadata({"class_names": '["cat"]'})
    pq.write_table(plain, tmp_path / "plain.parquet")
    assert read_table(tmp_path / "plain.parquet").codes("y") == ("cat",)
    foreign = pa.table({"y": [0]}).replace_schema_metadata({"huggingface": "not json", "class_names": "7"})
    pq.write_table(foreign, tmp_path / "foreign.parquet")
    assert read_table(tmp_path / "foreign.parquet").codes("y") == ()


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no file '.*none\.csv'"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"x\.parquet' is not a Parquet file, or is damaged"):
        read_table(put(tmp_path / "x.parquet", "no"))
    with pytest.raises(RequestError, match=r"is not a table; known are \.csv"):
        read_table(put(tmp_path / "x.doc", "no"))


@pytest.mark.parametrize("text", ["id;label\n1;'a, b'\n", "id\tlabel\n1\t'a, b'\n", "\ufeffid;label\n1;'a, b'\n"])
def test_a_csv_of_a_spreadsheet_in_another_country(text: str, tmp_path) -> None:
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    table = read_table(tmp_path / "l.csv")
    assert table.names == ("id", "label")
    assert table.values("label") == ["'a, b'"]


MARKED = "id,label\n7,cät\n"


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("utf-16", None),
        ("utf-16", "latin-1"),  # a mark is surer than what holds for several files
        ("utf-32", None),
        ("utf-16-le", "utf-16-le"),
        ("cp1252", "cp1252"),
        ("mac-roman", "MacRoman"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "jsonl", "jsonl.gz"])
def test_text_of_every_encoding(tmp_path: Path, written: str, asked: str | None, suffix: str) -> None:
    content = (MARKED if suffix.startswith("csv") else '{"id": "7", "label": "cät"}\n').encode(written)
    table = read_table(put(tmp_path / f"t.{suffix}", gzip.compress(content) if "gz" in suffix else content), asked)
    assert (table.names, table.values("id"), table.texts("label")) == (("id", "label"), ["7"], ["cät"])


def test_big_endian_text_is_known_by_its_mark(tmp_path: Path) -> None:
    table = read_table(put(tmp_path / "t.csv", codecs.BOM_UTF16_BE + MARKED.encode("utf-16-be")))
    assert table.texts("label") == ["cät"]


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (MARKED.encode("cp1252"), "utf-8", r"t\.csv, line 2: the bytes e4 are not utf-8; name the right one"),
        (MARKED.encode(), "ascii", r"t\.csv, line 2: the bytes c3 are not ascii"),
        (codecs.BOM_UTF16_LE + MARKED.encode("utf-16-le")[:-1], None, r"t\.csv, line .* are not utf-16"),
        (MARKED.encode("utf-16-le"), None, r"zero bytes in its first line.*--encoding utf-16-le"),
        (MARKED.encode(), "utf9", "--encoding 'utf9' is no encoding that Python knows; did you mean 'utf-?8'"),
        (MARKED.encode(), "base64", "--encoding 'base64' is no encoding"),
    ],
)
def test_text_of_another_encoding_names_the_line_or_the_nearest(
    tmp_path: Path, content: bytes, asked: str | None, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        read_table(put(tmp_path / "t.csv", content), asked)


@pytest.mark.parametrize("content", [b"no", gzip.compress(MARKED.encode() * 100, mtime=0)[:-9]])
def test_a_damaged_packed_file_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(RequestError, match=r"t\.csv\.gz"):
        read_table(put(tmp_path / "t.csv.gz", content))


@pytest.mark.parametrize("end", [",\n", ",", ",\n,\n\n , \n"])
def test_empty_cells_below_the_last_row_are_no_row(tmp_path: Path, end: str) -> None:
    table = read_table(put(tmp_path / "t.csv", f"id,label\n1,a\n{end}"))
    assert (table.n_rows, table.values("id")) == (1, ["1"])
    semicolons = read_table(put(tmp_path / "s.csv", "id;label\n1;a\n;\n"))
    assert semicolons.n_rows == 1


def test_empty_cells_between_rows_keep_their_row(tmp_path: Path) -> None:
    table = read_table(put(tmp_path / "t.csv", "text,label\nx,a\n,\ny,b\n"))
    assert table.values("text") == ["x", "", "y"]
    assert table.row(2) == f"{table.where}, line 4"
    assert read_table(put(tmp_path / "one.csv", 'text\nx\n""\n')).values("text") == ["x", ""]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("l.xlsx", "save it as CSV UTF-8"),
        ("l.json", "In Label Studio, export as CSV"),
        ("l.pt", r"numpy\.save\('l\.npy'"),
        ("l.txt", r"rename it to l\.csv"),
        ("l.parquet.gz", "known are .csv .tsv .jsonl .parquet"),
        ("l.unheard", "known are .csv .tsv .jsonl .parquet"),
    ],
)
def test_files_of_other_kinds_say_how_they_become_a_table(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read_table(put(tmp_path / name, "id,label\n"))
    assert table_kind(tmp_path / name) is None


def test_wide_columns_are_streamed_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    content = "id,a,b\n" + "".join(f"{row},{row}.5,-{row}\n" for row in range(5))
    table = read_table(put(tmp_path / "t.csv", content), streamed=lambda names: names[1:])
    parts = list(table.parts(["b", "a"]))
    assert parts[0] == [["-0", "-1"], ["0.5", "1.5"]]
    assert [len(part[0]) for part in parts] == [2, 2, 1]
    assert table.values("a") == [f"{row}.5" for row in range(5)]
    assert table.values("id") == [str(row) for row in range(5)]
