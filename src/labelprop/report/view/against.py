"""What the template prints of the part that sets another run beside this one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from labelprop.report.draw import charts, plots
from labelprop.report.gather import against
from labelprop.report.gather.embedding import Analyses, read_analyses
from labelprop.report.gather.numbers import percent_of
from labelprop.report.gather.page import Run
from labelprop.report.gather.training import Curve, read_training
from labelprop.report.say import facts
from labelprop.report.view.embedding import MANY_CLASSES, TABLE_CLASSES, epoch_table, two_decimals
from labelprop.report.view.layouts import COLORS, SHORT_NAME
from labelprop.report.words import brief, number


def against_view(run: Run, other: Run) -> dict[str, Any]:
    paired = against.pair(run, other)
    here, there = read_analyses(run), read_analyses(other)
    curves = _both(run, other, here, there)
    return {
        "heading": against.against_heading(paired, run.noun),
        "sentence": against.difference_sentence(paired, run.noun),
        "other": f"The other run: {'recipe' if other.verb == 'train' else 'method'} {other.recipe}"
        + (f", {facts.day(other.date)}" if other.date else ""),
        "charts": [*(_curve(both) for both in curves), *_scatter(run, other, here, there)],
        "epochs": epoch_table(
            [
                column
                for both in curves
                for column in ((both.what, both.own, both.text), ("other run", both.others, both.text))
            ]
        ),
        "classes": _class_rows(run, other, here, there),
    }


@dataclass(frozen=True, slots=True)
class Both:
    """A number that both runs measured by epoch."""

    what: str
    sub: str
    own: Curve
    others: Curve
    text: Callable[[float], str]


def _both(run: Run, other: Run, here: Analyses, there: Analyses) -> list[Both]:
    nearest = f"Share of {run.noun}s nearest to one of their own class"
    accuracies = read_training(run).accuracy, read_training(other).accuracy
    numbers = [
        Both("Share right", f"Share right on the unlabeled {run.noun}s", *accuracies, percent_of),
        Both("Aggregation", "Mean aggregation of the classes", here.aggregation, there.aggregation, two_decimals),
        Both("Nearest neighbor", nearest, here.neighbors, there.neighbors, percent_of),
        Both("Pseudo-labels", "Share of pseudo-labels that are right", here.pseudo, there.pseudo, percent_of),
    ]
    return [both for both in numbers if both.own and both.others]


def _curve(both: Both) -> dict[str, Any]:
    own, others, text = both.own, both.others, both.text
    heading = against.curve_heading(both.what, own.last, others.last, text(own.last), text(others.last))
    named = charts.Named("other run", others), charts.Named("this run", own, own=True)
    label = f"{both.sub}, by epoch; numbers in the table Numbers of both runs by epoch"
    drawn = charts.curves(named, max(own.epochs), None, text, label, 1.0, min(*own.values, *others.values))
    return {"heading": heading, "sub": both.sub, "chart": drawn}


def _aggregations(run: Run, other: Run, here: Analyses, there: Analyses) -> tuple[np.ndarray, np.ndarray] | None:
    """Of each class in both runs, in this run's order; None where no class is known in both."""
    own_C, others_C = here.aggregation_C, there.aggregation_C
    if not len(own_C) or not len(others_C):
        return None
    others_C = others_C[[other.classes.index(name) for name in run.classes]]
    return (own_C, others_C) if (np.isfinite(own_C) & np.isfinite(others_C)).any() else None


def _scatter(run: Run, other: Run, here: Analyses, there: Analyses) -> list[dict[str, Any]]:
    found = _aggregations(run, other, here, there)
    if found is None:
        return []
    own_C, others_C = found
    names = [brief(name, SHORT_NAME) for name in run.classes] if len(run.classes) <= COLORS else []
    sub = "Aggregation of each class in this run, upward, against the other; alike on the broken line"
    label = f"{sub}; numbers in the table Numbers of both runs by class"
    drawn = plots.versus(others_C, own_C, names, "aggregation in the other run", label)
    return [{"heading": against.scatter_heading(own_C, others_C), "sub": sub, "plot": drawn}]


def _class_rows(run: Run, other: Run, here: Analyses, there: Analyses) -> dict[str, Any] | None:
    """Aggregation by class, the largest difference first; of a hundred classes and more the first twenty."""
    found = _aggregations(run, other, here, there)
    if found is None:
        return None
    own_C, others_C = found
    order = np.argsort(-np.nan_to_num(np.abs(own_C - others_C)), kind="stable").tolist()
    kept = order[:TABLE_CLASSES] if len(order) >= MANY_CLASSES else order
    rows = [
        (code, *(two_decimals(v) if np.isfinite(v) else "–" for v in (own_C[code], others_C[code]))) for code in kept
    ]
    note = f"The {number(len(kept))} of {number(len(order))} that differ most" if len(kept) < len(order) else ""
    return {"rows": rows, "note": note}
