"""The rows of the table "To check", of the classes and of their confusions, as the template prints them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from labelprop.report.draw.charts import Dot, dot, scale_start
from labelprop.report.gather.classes import ClassCount, Classes, Pair
from labelprop.report.gather.numbers import certainty_text
from labelprop.report.gather.page import Run

STATIC_ROWS = 25
STRIP, STRIP_MANY, LINES = 7, 4, 3
MANY_CLASSES = 100
WEAKEST_SHOWN = 20
PAIRS_SHOWN, PAIRS_MANY, PER_PAIR = 6, 30, 8
GOT_BAR, BAND_BAR = 55.0, 72.0  # percent of the cell for the longest bar; the rest is for its number


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row of the table, all text."""

    row: int  # in the run
    label: int
    certainty: str
    width: float
    second: int
    margin: str
    known: bool
    wrong: bool


@dataclass(frozen=True, slots=True)
class ClassRow:
    count: ClassCount
    bar: float
    dot: Dot | None
    most: list[int]
    least: list[int]
    hidden: bool  # until it is searched for


@dataclass(frozen=True, slots=True)
class PairRow:
    pair: Pair
    examples: list[int]


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the confusion matrix; `tint` in percent of the color for wrong."""

    text: str
    diagonal: bool
    tint: int


def check_rows(run: Run) -> list[CheckRow]:
    """The first rows of the table, least certain first, ties by input order."""
    rows = run.rows
    shown_M = np.flatnonzero(rows.pool_N & rows.shown_N)
    order_M = shown_M[np.argsort(rows.certainty_N[shown_M], kind="stable")][:STATIC_ROWS]
    return [
        CheckRow(
            row=i,
            label=int(rows.label_N[i]),
            certainty=certainty_text(int(rows.certainty_N[i])),
            width=int(rows.certainty_N[i]) / 10,
            second=int(rows.second_N[i]),
            margin=certainty_text(int(rows.margin_N[i])),
            known=bool(rows.known_N[i]),
            wrong=bool(rows.wrong_N[i]),
        )
        for i in order_M.tolist()
    ]


def class_rows(classes: Classes) -> list[ClassRow]:
    """In the order of the classes; from 100 classes on weakest first, all but 20 hidden until searched for."""
    run = classes.run
    many = len(run.classes) >= MANY_CLASSES
    ordered = classes.weakest_first if many else classes.counts
    n = LINES if not run.has_pictures else STRIP_MANY if many else STRIP
    longest = max((entry.got for entry in classes.counts), default=0) or 1
    start = class_scale(classes)
    made = []
    for place, entry in enumerate(ordered):
        most, least = classes.examples(entry.code, n)
        bar = round(GOT_BAR * entry.got / longest, 1)
        measured = dot(entry.share, start) if entry.share.n else None
        made.append(ClassRow(entry, bar, measured, most, least, many and place >= WEAKEST_SHOWN))
    return made


def class_scale(classes: Classes) -> int:
    return scale_start([entry.share for entry in classes.counts])


def pair_rows(classes: Classes) -> list[PairRow]:
    n = PAIRS_MANY if len(classes.run.classes) >= MANY_CLASSES else PAIRS_SHOWN
    each = PER_PAIR if classes.run.has_pictures else LINES
    return [PairRow(pair, classes.mistakes(pair, each)) for pair in classes.pairs[:n]]


def matrix_rows(classes: Classes) -> list[tuple[int, list[Cell]]]:
    """(truth, cells by label); rows of the truth that never occurs as a label come last."""
    matrix = classes.matrix
    worst = max((pair.count for pair in classes.pairs), default=0) or 1
    c = len(classes.run.classes)

    def cell(truth: int, label: int) -> Cell:
        n, same = int(matrix[truth, label]), truth == label
        return Cell(f"{n:,}" if n else "", same, 0 if same or not n else round(12 + 48 * n / worst))

    return [(truth, [cell(truth, label) for label in range(c)]) for truth in range(len(classes.run.names))]
