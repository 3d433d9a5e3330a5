"""Template variables of the part that sets another run beside this one."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelprop.report.draw.plots import scatter
from labelprop.report.gather.against import changed_rows, join_rows
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.history import NamedCurve
from labelprop.report.gather.numbers import percent_of
from labelprop.report.say import against as say
from labelprop.report.say import facts
from labelprop.report.view.figures import (
    COLORS,
    SHORT_NAME,
    Figure,
    class_table,
    curve_figure,
    epoch_table,
    two_decimals,
)
from labelprop.report.words import brief

LISTED = 100  # labels that changed
GIVEN = {"": "", "this": "given in this run", "other": "given in the other run", "both": "given in both"}


def against_view(run: FinishedRun, other: FinishedRun) -> dict[str, Any]:
    both, changed = join_rows(run, other), changed_rows(run, other)
    measured = [
        ("Share right", f"Share right on the unlabeled {run.noun}s", "accuracy", percent_of),
        ("Aggregation", "Mean aggregation of the classes", "aggregation", two_decimals),
        (
            "Nearest neighbor",
            f"Share of {run.noun}s nearest to one of their own class",
            "nearest_neighbor_accuracy",
            percent_of,
        ),
        ("Pseudo-labels", "Share of pseudo-labels that are right", "pseudo_label_accuracy", percent_of),
    ]
    charts: list[Figure] = []
    analyses: list[Figure] = []
    columns = []
    for what, sub, name, text in measured:
        own, others = run.own.monitored(name), other.own.monitored(name)
        if own and others:
            named = NamedCurve("other run", others), NamedCurve("this run", own, own=True)
            drawn = charts if name == "accuracy" else analyses
            drawn.append(curve_figure(what, sub, named, text, "Numbers of both runs by epoch"))
            columns += [(what, own, text), ("other run", others, text)]
    scattered, classes = _aggregations(run, other)
    return {
        "heading": say.against_heading(both, run.noun),
        "sentence": say.difference_sentence(both, run.noun),
        "other": f"The other run, in the folder {other.folder}: {other.kind_of_method} {other.recipe}",
        "changes": say.changes_sentence(changed, both, run.noun),
        "n_changed": len(changed),
        "changed": [(entry, GIVEN[entry.given]) for entry in changed[:LISTED]],
        "date": facts.day(other.date),
        "charts": charts,
        "analyses": [*analyses, *scattered],
        "epochs": epoch_table(columns),
        "classes": classes,
    }


def _aggregations(run: FinishedRun, other: FinishedRun) -> tuple[list[Figure], dict[str, Any] | None]:
    """Of each class in both runs: a scatter, and a table with the largest difference first."""
    own_C = run.own.last_list("aggregation_of_class", len(run.classes))
    others_C = other.own.last_list("aggregation_of_class", len(run.classes))
    if not len(own_C) or not len(others_C):
        return [], None
    others_C = others_C[[other.classes.index(name) for name in run.classes]]
    if not (np.isfinite(own_C) & np.isfinite(others_C)).any():
        return [], None
    names = [brief(name, SHORT_NAME) for name in run.classes] if len(run.classes) <= COLORS else []
    sub = "Aggregation of each class in this run, upward, against the other; alike on the broken line"
    label = f"{sub}; numbers in the table Numbers of both runs by class"
    plot = scatter(others_C, own_C, names, "aggregation in the other run", label, alike=True)
    order_C = np.argsort(-np.nan_to_num(np.abs(own_C - others_C)), kind="stable")
    columns = [("Aggregation", [two_decimals(v) for v in own_C]), ("other run", [two_decimals(v) for v in others_C])]
    figure = Figure(say.aggregation_heading(own_C, others_C), sub, plot)
    return [figure], class_table(order_C, columns, "that differ most")
