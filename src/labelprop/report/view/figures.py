"""Template variables of one chart, and of tables with the numbers behind charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.report.draw.plots import Plot, curves
from labelprop.report.gather.history import Curve, NamedCurve, PhaseEpochs
from labelprop.report.say.findings import curve_heading
from labelprop.report.words import number

COLORS = 10  # that are told apart, also by people who see fewer
# Mark of each color, 0 disc, 1 triangle, 2 diamond, 3 square: of all ways to deal four marks, colors of one mark lie
# farthest apart (at least 14 in OKLab x 100, light and dark, for any kind of vision; the closest two colors 9.8).
MARKS = (0, 0, 1, 2, 1, 2, 1, 2, 3, 3)
SHORT_NAME = 9  # letters that fit beside a dot
MANY_CLASSES = 100  # from here on only some are printed
SOME_CLASSES = 20
TABLE_LINES = 12  # epochs in a table

Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Figure:
    heading: str
    sub: str
    plot: Plot


def curve_figure(
    what: str,
    sub: str,
    named: Sequence[NamedCurve],
    text: Text,
    table: str = "",
    starts: PhaseEpochs | None = None,
    top: float | None = 1.0,
) -> Figure:
    """Curves by epoch. `table` names the one that holds their numbers; such curves are shown from their lowest value.

    `starts`: the last phase; `top`: the highest value possible.
    """
    heading = curve_heading(what, named, text)
    label = f"{heading}; {sub}, by epoch" + (f"; numbers in the table {table}" if table else "")
    return Figure(heading, sub, curves(named, text, label, starts, top, whole=bool(table)))


def against_labels_only(own: Curve, baseline: Curve) -> tuple[NamedCurve, NamedCurve]:
    return NamedCurve("labels only", baseline), NamedCurve("this run", own, own=True)


def two_decimals(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def epoch_table(columns: Sequence[tuple[str, Curve, Text]]) -> dict[str, Any]:
    """Curves that hold something, as a table of about a dozen epochs: the first, the last of each, some between."""
    columns = [column for column in columns if column[1]]
    epochs = sorted({epoch for _, curve, _ in columns for epoch in curve.epochs})
    places = np.linspace(0, len(epochs) - 1, TABLE_LINES if epochs else 0)
    chosen = {epochs[round(place)] for place in places.tolist()} | {curve.epochs[-1] for _, curve, _ in columns}
    values = [(dict(zip(curve.epochs, curve.values, strict=True)), text) for _, curve, text in columns]
    rows = [
        (number(epoch), [text(at[epoch]) if epoch in at else "" for at, text in values]) for epoch in sorted(chosen)
    ]
    return {"columns": [name for name, _, _ in columns], "rows": rows}


def class_table(order_C: np.ndarray, columns: Sequence[tuple[str, Sequence[str]]], which: str) -> dict[str, Any]:
    """Texts of each class in an order, of a hundred classes and more the first twenty, of which `which` tells."""
    kept = order_C.tolist()[: SOME_CLASSES if len(order_C) >= MANY_CLASSES else None]
    rows = [(code, [texts[code] for _, texts in columns]) for code in kept]
    note = f"The {number(len(kept))} of {number(len(order_C))} {which}" if len(kept) < len(order_C) else ""
    return {"columns": [name for name, _ in columns], "rows": rows, "note": note}
