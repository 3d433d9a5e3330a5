"""The data the page's script works on: levels and curve of every row, details of the shown rows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from labelprop.report.draw.pictures import COLUMNS, PER_SHEET, Sheets
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.numbers import Trust
from labelprop.report.view.figures import MARKS

CURVE_POINTS = 420  # about one every two pixels
CROSSES = 400  # more errors are drawn as a histogram
ERROR_BINS = 60  # of that histogram
GRID = 9999  # map coordinates are whole numbers up to this: exact at any zoom, short to write
TOOLTIP = 300  # characters of a text
MISSING = -1


def payload(run: FinishedRun, sheets: Sheets | None, large: Mapping[int, str]) -> dict[str, Any]:
    """`large`: addresses of larger pictures, by place among the shown rows."""
    trust = run.trust
    errors = np.flatnonzero(trust.wrong_P[trust.order_P])
    return {
        "classes": run.classes,
        "names": run.names,
        "marks": MARKS,
        "noun": run.noun,
        "truth": "none" if not run.has_truth else "some" if run.truth_is_partial else "all",
        "n": trust.n,
        "kept": trust.kept,
        "threshold": trust.threshold,
        "levels": trust.levels,
        "curve": curve(trust),
        "wrong": len(errors),
        "errors": errors.tolist() if len(errors) <= CROSSES else None,
        "histogram": np.bincount(errors * ERROR_BINS // max(trust.n, 1), minlength=ERROR_BINS).tolist(),
        "rows": _rows(run),
        "sheets": None if sheets is None else {"edge": sheets.edge, "columns": COLUMNS, "per": PER_SHEET},
        "original": sheets.original if sheets else 0,
        "large": large,
        "file": re.sub(r"[^\w.-]+", "-", run.name, flags=re.ASCII).strip("-.") or "run",
    }


def curve(trust: Trust) -> list[tuple[int, int, int, int]]:
    """(kept, certainty of the last one kept, with truth, right) at about 420 places, most certain first.

    It starts where a share begins to mean something: at 2% of the rows and 30 of them, if there are that many.
    """
    if trust.n == 0:
        return []
    order_P = trust.order_P
    known_P = np.cumsum(trust.known_P[order_P])
    right_P = np.cumsum((trust.known_P & ~trust.wrong_P)[order_P])
    first = 1 if trust.n < 100 else max(30, trust.n // 50)
    ends = [rows for rows in np.cumsum([rows for _, rows, _, _ in trust.levels]).tolist() if rows >= first]
    some = ends[:: -(-len(ends) // CURVE_POINTS)] if ends else []
    places = sorted({*np.linspace(first, trust.n, min(CURVE_POINTS, trust.n)).astype(int).tolist(), *some, trust.n})
    certainty_P = trust.certainty_P[order_P]
    return [(k, int(certainty_P[k - 1]), int(known_P[k - 1]), int(right_P[k - 1])) for k in places]


def _rows(run: FinishedRun) -> dict[str, Any]:
    rows = run.rows
    shown_M = np.flatnonzero(rows.shown_N)
    place_M2 = np.where(np.isfinite(rows.place_N2), rows.place_N2 * GRID, MISSING)[shown_M].round().astype(int)
    columns: dict[str, Any] = {
        "id": [rows.ids[i] for i in shown_M],
        "label": rows.label_N[shown_M].tolist(),
        "given": rows.given_N[shown_M].astype(int).tolist(),
        "certainty": rows.certainty_N[shown_M].tolist(),
        "margin": rows.margin_N[shown_M].tolist(),
        "second": rows.second_N[shown_M].tolist(),
        "truth": rows.truth_N[shown_M].tolist() if run.has_truth else None,
        "x": place_M2[:, 0].tolist() if run.has_map else None,
        "y": place_M2[:, 1].tolist() if run.has_map else None,
    }
    if run.has_texts:
        columns["text"] = [" ".join((rows.texts[i] or "").split())[: TOOLTIP + 1] for i in shown_M]
    return columns


def script_json(value: dict[str, Any]) -> str:
    """JSON that may stand inside <script type="application/json">: no "<" ends it early."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").encode("utf-8", "backslashreplace").decode()
