"""Kinds of files that hold rows: which are read here, and how the others become one of these."""

from __future__ import annotations

from pathlib import Path, PurePath

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
JSON_SUFFIXES = frozenset({".jsonl", ".ndjson"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
TABLE_SUFFIXES = frozenset(TEXT_SUFFIXES) | JSON_SUFFIXES | PARQUET_SUFFIXES
PACKED = ".gz"  # of a text file
TABLES = ".csv .tsv .jsonl .parquet"  # as messages name them
ARRAY_SUFFIXES = frozenset({".npy", ".npz"})

_SPREADSHEET = "In the spreadsheet, save it as CSV UTF-8 (.csv)"
_PICKLE = (
    "Opening such a file can run what is in it; in Python, save the array: "
    "numpy.save('{stem}.npy', numpy.asarray(y)), with -1 where unlabeled"
)
_LIKE_PANDAS = "In Python, write it as a table: pandas.DataFrame({{'id': ids, 'label': labels}}).to_csv('{stem}.csv')"
_REMEDIES = {
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers"), _SPREADSHEET),
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt"), _PICKLE),
    ".json": "In Label Studio, export as CSV; else write one object a line (.jsonl), or a table: "
    "pandas.read_json('{stem}.json').to_csv('{stem}.csv')",
    ".txt": "Where its first line names the columns and a comma or a tab parts them, rename it to {stem}.csv",
    **dict.fromkeys((".feather", ".arrow", ".h5", ".hdf5", ".mat", ".dta", ".sas7bdat", ".rds"), _LIKE_PANDAS),
    **dict.fromkeys((".xml", ".yaml", ".yml", ".db", ".sqlite"), _LIKE_PANDAS),
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".rar"), "Unpack it; of text files .gz is read"),
}


def table_kind(path: PurePath) -> str | None:
    """The suffix of a table, without that of a packed text file; None where `path` is no table by its name."""
    suffix = path.suffix.lower()
    if suffix == PACKED:
        inner = PurePath(path.stem).suffix.lower()
        return inner if inner in TABLE_SUFFIXES - PARQUET_SUFFIXES else None
    return suffix if suffix in TABLE_SUFFIXES else None


def is_known_file(path: Path) -> bool:
    """Whether a name is that of a file: a table, an array, or of a kind that can be made into one."""
    suffix = path.suffix.lower()
    return table_kind(path) is not None or suffix in ARRAY_SUFFIXES or suffix in _REMEDIES or suffix == PACKED


def how_to_convert(path: Path) -> str:
    """A sentence that says how a file of another kind becomes one that is read; '' where there is no telling."""
    remedy = _REMEDIES.get(path.suffix.lower())
    return "" if remedy is None else f" {remedy.format(stem=path.stem)}."
