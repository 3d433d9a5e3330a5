"""Template variables of the section on the embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelprop.report.draw import plots
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.followed import moments
from labelprop.report.gather.history import NamedCurve
from labelprop.report.gather.numbers import percent_of, signed
from labelprop.report.say import embedding as say
from labelprop.report.view.figures import (
    COLORS,
    SHORT_NAME,
    Figure,
    against_labels_only,
    class_table,
    curve_figure,
    epoch_table,
    two_decimals,
)
from labelprop.report.view.layouts import one_class, over_time
from labelprop.report.words import brief, number

BARS = 15  # classes; from here on a histogram says more than a long list of bars
TABLE = "Numbers by epoch"


def embedding_view(run: FinishedRun) -> dict[str, Any] | None:
    """None where the run kept no analyses: without truth, or made before they were kept."""
    own, baseline = run.own, run.baseline
    aggregation, neighbors = own.monitored("aggregation"), own.monitored("nearest_neighbor_accuracy")
    pseudo = own.monitored("pseudo_label_accuracy")
    if not (aggregation or neighbors or pseudo):
        return None
    found = moments(run)
    columns = [
        ("Aggregation", aggregation, two_decimals),
        ("with labels only", baseline.monitored("aggregation"), two_decimals),
        ("Nearest of the same class", neighbors, percent_of),
        ("with labels only", baseline.monitored("nearest_neighbor_accuracy"), percent_of),
        ("Pseudo-labels right", pseudo, percent_of),
        ("by weight", own.monitored("weighted_pseudo_label_accuracy"), percent_of),
        ("Pearson's r", own.monitored("density_count_r"), signed),
    ]
    return {
        "title": "Aggregation, densities and layouts" if aggregation else "Nearest neighbors and pseudo-labels",
        "heading": say.embedding_heading(aggregation),
        "charts": [*_curves(run), *_density(run), *_certainty(run), *_histograms(run)],
        "bars": _bars(run) if len(run.classes) < BARS else [],
        "over_time": over_time(run, found),
        "one_class": one_class(run, found),
        "epochs": epoch_table(columns),
        "classes": _class_table(run) if len(run.classes) >= BARS else None,
    }


def _curves(run: FinishedRun) -> list[Figure]:
    own, baseline, made = run.own, run.baseline, []
    if aggregation := own.monitored("aggregation"):
        named = against_labels_only(aggregation, baseline.monitored("aggregation"))
        sub = "Length of a class's mean vector, mean over the classes"
        made.append(curve_figure("Aggregation", sub, named, two_decimals, TABLE, run.last_phase))
    if len(run.classes) > 1 and (neighbors := own.monitored("nearest_neighbor_accuracy")):
        named = against_labels_only(neighbors, baseline.monitored("nearest_neighbor_accuracy"))
        sub = f"Share of {run.noun}s nearest to one of their own class"
        made.append(curve_figure("Nearest neighbor alike", sub, named, percent_of, TABLE, run.last_phase))
    if pseudo := own.monitored("pseudo_label_accuracy"):
        weighted = own.monitored("weighted_pseudo_label_accuracy")
        named = NamedCurve("by weight", weighted), NamedCurve("by count", pseudo, own=True)
        sub = "Share of pseudo-labels that are right"
        made.append(curve_figure("Pseudo-labels right", sub, named, percent_of, TABLE))
    return made


def _of_classes(run: FinishedRun, name: str) -> np.ndarray:
    """The last measured number of each class; empty where there is none."""
    return run.own.last_list(name, len(run.classes))


def _density(run: FinishedRun) -> list[Figure]:
    """Density against number of pseudo-labels after the last epoch, and their correlation by epoch."""
    made = []
    density_C, assigned_C = _density_of_classes(run), _of_classes(run, "assigned_to_class")
    correlation = run.own.monitored("density_count_r")
    if len(density_C) and len(run.classes) > 1 and assigned_C.any():
        sub = "Pseudo-labels of a class, against the density of its labeled examples"
        names = [brief(name, SHORT_NAME) for name in run.classes] if len(run.classes) <= COLORS else []
        drawn = plots.scatter(density_C, assigned_C, names, "density, densest class 1", f"{sub}; {_table(run)}")
        r = correlation.last if correlation else None
        made.append(Figure(say.density_heading(r, int(np.isfinite(density_C).sum())), sub, drawn))
    if correlation:
        sub = "Pearson's r of density and number of pseudo-labels"
        made.append(curve_figure("Correlation", sub, [NamedCurve("this run", correlation, own=True)], signed, TABLE))
    return made


def _table(run: FinishedRun) -> str:
    """Where the numbers of each class stand that a chart shows."""
    return "numbers in the table " + ("Pseudo-labels by class" if len(run.classes) < BARS else "Numbers by class")


def _density_of_classes(run: FinishedRun) -> np.ndarray:
    """Of the densest class: the sums of exponentials themselves say nothing to a reader, and r is the same."""
    density_C = _of_classes(run, "density_of_class")
    most = np.nanmax(density_C) if np.isfinite(density_C).any() else 1.0
    scaled_C: np.ndarray = density_C / (most or 1.0)
    return scaled_C


def _certainty(run: FinishedRun) -> list[Figure]:
    right_H, wrong_H = run.own.last_list("certainty_of_right"), run.own.last_list("certainty_of_wrong")
    if not (right_H.any() or wrong_H.any()):
        return []
    sub = "Pseudo-labels by certainty: right above the line, wrong below it"
    label = f"{sub}; {int(right_H.sum()):,} right and {int(wrong_H.sum()):,} wrong"
    drawn = plots.mirrored(right_H, wrong_H, "certainty", label)
    return [Figure(say.certainty_heading(right_H, wrong_H), sub, drawn)]


def _histograms(run: FinishedRun) -> list[Figure]:
    """Of many classes; few are drawn as bars."""
    if len(run.classes) < BARS:
        return []
    made = []
    aggregation_C, assigned_C = _of_classes(run, "aggregation_of_class"), _of_classes(run, "assigned_to_class")
    if np.isfinite(aggregation_C).any():
        heading, sub = say.class_aggregation_heading(aggregation_C, run.classes), "Number of classes by aggregation"
        made.append(
            Figure(heading, sub, plots.histogram(aggregation_C, False, "aggregation", f"{sub}; {_table(run)}", 1.0))
        )
    if len(assigned_C):
        heading, sub = say.counts_heading(assigned_C), "Number of classes by how many pseudo-labels they have"
        made.append(Figure(heading, sub, plots.histogram(assigned_C, True, "pseudo-labels", f"{sub}; {_table(run)}")))
    return made


def _bars(run: FinishedRun) -> list[dict[str, Any]]:
    """Bars of each class: a table each, which charts of the same numbers point to. Rows: code, number, text, more."""
    made: list[dict[str, Any]] = []
    aggregation_C, assigned_C = _of_classes(run, "aggregation_of_class"), _of_classes(run, "assigned_to_class")
    if np.isfinite(aggregation_C).any():
        made.append(
            {
                "heading": say.class_aggregation_heading(aggregation_C, run.classes),
                "sub": "Aggregation by class after the last epoch, 1 at most",
                "column": "Aggregation",
                "longest": 1,
                "rows": [(k, v, two_decimals(v), "") for k, v in enumerate(aggregation_C.tolist()) if np.isfinite(v)],
                "more": "",
            }
        )
    if len(assigned_C):
        density = [two_decimals(value) for value in _density_of_classes(run).tolist()] or [""] * len(assigned_C)
        made.append(
            {
                "heading": say.counts_heading(assigned_C),
                "sub": "Pseudo-labels by class",
                "column": "Pseudo-labels",
                "longest": assigned_C.max() or 1,
                "rows": [(k, n, number(int(n)), density[k]) for k, n in enumerate(assigned_C.tolist())],
                "more": "Density" if any(density) else "",
            }
        )
    return made


def _class_table(run: FinishedRun) -> dict[str, Any] | None:
    """The numbers behind the histograms, the least aggregated first."""
    aggregation_C = _of_classes(run, "aggregation_of_class")
    if not len(aggregation_C):
        return None
    columns = [
        ("Aggregation", [two_decimals(value) for value in aggregation_C]),
        ("Density", [two_decimals(value) for value in _density_of_classes(run)]),
        ("Pseudo-labels", [number(int(n)) for n in _of_classes(run, "assigned_to_class")]),
    ]
    return class_table(np.argsort(aggregation_C, kind="stable"), [c for c in columns if c[1]], "least aggregated")
