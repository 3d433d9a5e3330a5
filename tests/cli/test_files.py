"""Tables that a command writes: CSV has a column for each class where Parquet has a list."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from labelprop.cli.files import write_table
from labelprop.runs.tables import predictions_table

SHARES = np.array([[0.5, 0.25, 0.25, 0], [0, 0.125, 0.25, 0.625]], np.float32)


@pytest.mark.parametrize(
    ("classes", "titles"),
    [
        (("cat", "dog", "ox", "yak"), ["cat", "dog", "ox", "yak"]),
        (("id", "label", "ox", "7"), ["probability of id", "probability of label", "ox", "7"]),
        (
            ("id", "probability of id", "margin", "certainty"),
            [
                "probability of probability of id",
                "probability of id",
                "probability of margin",
                "probability of certainty",
            ],
        ),
    ],
)
def test_probabilities_are_a_column_a_class_in_csv_and_a_list_in_parquet(
    classes: tuple[str, ...], titles: list[str], tmp_path: Path
) -> None:
    table = predictions_table(("a", "b"), SHARES, classes, True)
    write_table(tmp_path / "found.csv", table)
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", "label", "certainty", "margin", *titles]
    np.testing.assert_array_equal([[float(cell) for cell in row[4:]] for row in rows], SHARES)
    write_table(tmp_path / "found.parquet", table)
    kept = pq.read_table(tmp_path / "found.parquet")
    assert kept["probabilities"].to_pylist() == SHARES.tolist()
    write_table(tmp_path / "short.csv", predictions_table(("a", "b"), SHARES, classes, False))
    assert (tmp_path / "short.csv").read_text().splitlines()[0] == "id,label,certainty,margin"
