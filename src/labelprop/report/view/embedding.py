"""What the template prints of the section on the embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from labelprop.report.draw import charts, plots
from labelprop.report.gather.embedding import Analyses, read_analyses
from labelprop.report.gather.numbers import percent_of, signed
from labelprop.report.gather.page import Run
from labelprop.report.gather.training import Curve, Phase, Training
from labelprop.report.say import embedding as findings
from labelprop.report.view.layouts import COLORS, SHORT_NAME, one_class, over_time
from labelprop.report.words import brief, number

BARS = 15  # so many classes and more are drawn as a histogram
BAR = 62.0  # percent of the cell for the longest bar; the rest is for its number
TABLE_LINES = 12  # epochs in the table of numbers
TABLE_CLASSES = 20  # from a hundred classes on
MANY_CLASSES = 100


def embedding_view(run: Run, training: Training) -> dict[str, Any] | None:
    """None where the run kept no analyses: without truth, or made before they were kept."""
    found = read_analyses(run)
    if not found:
        return None
    return {
        "heading": findings.embedding_heading(found.aggregation, run.noun),
        "charts": [
            *_curves(run, training, found),
            *_density(run, found),
            *_certainty(found),
            *_histograms(run, found),
        ],
        "bars": _bars(run, found) if len(run.classes) < BARS else [],
        "over_time": over_time(run),
        "one_class": one_class(run),
        "epochs": _epoch_rows(found),
        "classes": _class_rows(run, found),
    }


def _curves(run: Run, training: Training, found: Analyses) -> list[dict[str, Any]]:
    last_phase = training.last_phase
    made = []
    if found.aggregation:
        named = charts.against_labels_only(found.aggregation, found.baseline_aggregation)
        heading = findings.aggregation_heading(found.aggregation, found.baseline_aggregation)
        sub = "Length of a class's mean vector, mean over the classes"
        made.append(_curve(heading, sub, named, found, two_decimals, last_phase))
    if found.neighbors and len(run.classes) > 1:
        named = charts.against_labels_only(found.neighbors, found.baseline_neighbors)
        sub = f"Share of {run.noun}s nearest to one of their own class"
        made.append(_curve(findings.neighbors_heading(found.neighbors), sub, named, found, percent_of, last_phase))
    if found.pseudo:
        named = charts.Named("by weight", found.weighted), charts.Named("by count", found.pseudo, own=True)
        heading = findings.pseudo_heading(found.pseudo, found.weighted)
        made.append(_curve(heading, "Share of pseudo-labels that are right", named, found, percent_of))
    return made


def _curve(
    heading: str,
    sub: str,
    named: Sequence[charts.Named],
    found: Analyses,
    text: Callable[[float], str],
    starts: Phase | None = None,
) -> dict[str, Any]:
    """A figure of curves whose whole way is shown."""
    low = min(value for entry in named for value in entry.curve.values)
    label = f"{sub}, by epoch; numbers in the table Numbers by epoch"
    return {
        "heading": heading,
        "sub": sub,
        "chart": charts.curves(named, found.epochs, starts, text, label, 1.0, low),
    }


def two_decimals(value: float) -> str:
    return f"{value:.2f}"


def _table(run: Run) -> str:
    """Where the numbers of each class stand that a chart shows."""
    return "numbers in the table " + ("Pseudo-labels by class" if len(run.classes) < BARS else "Numbers by class")


def _density(run: Run, found: Analyses) -> list[dict[str, Any]]:
    """Density against number of pseudo-labels after the last epoch, and their correlation by epoch."""
    made: list[dict[str, Any]] = []
    if len(found.density_C) and len(run.classes) > 1 and found.assigned_C.any():
        sub = "Pseudo-labels of a class, against the density of its labeled examples"
        names = [brief(name, SHORT_NAME) for name in run.classes] if len(run.classes) <= COLORS else []
        label = f"{sub}; {_table(run)}"
        drawn = plots.scatter(relative(found.density_C), found.assigned_C, names, "density, densest class 1", label)
        r = found.correlation.last if found.correlation else None
        classes = int(np.isfinite(found.density_C).sum())
        made.append({"heading": findings.density_heading(r, classes), "sub": sub, "plot": drawn})
    if found.correlation:
        named = (charts.Named("r", found.correlation, own=True),)
        sub = "Pearson's r of density and number of pseudo-labels"
        made.append(_curve(findings.correlation_heading(found.correlation), sub, named, found, signed))
    return made


def _certainty(found: Analyses) -> list[dict[str, Any]]:
    if not (found.right_H.any() or found.wrong_H.any()):
        return []
    sub = "Pseudo-labels by certainty: right above the line, wrong below it"
    label = f"{sub}; {int(found.right_H.sum()):,} right and {int(found.wrong_H.sum()):,} wrong"
    drawn = plots.mirrored(found.right_H, found.wrong_H, "certainty", label)
    return [{"heading": findings.certainty_heading(found.right_H, found.wrong_H), "sub": sub, "plot": drawn}]


def _histograms(run: Run, found: Analyses) -> list[dict[str, Any]]:
    """Of many classes; few are drawn as bars."""
    if len(run.classes) < BARS:
        return []
    made = []
    if np.isfinite(found.aggregation_C).any():
        label = f"Classes by aggregation; {_table(run)}"
        drawn = plots.histogram(found.aggregation_C, False, "aggregation", label, 1.0)
        heading = findings.class_aggregation_heading(found.aggregation_C, run.classes)
        made.append({"heading": heading, "sub": "Number of classes by aggregation", "plot": drawn})
    if len(found.assigned_C):
        label = f"Classes by pseudo-labels; {_table(run)}"
        drawn = plots.histogram(found.assigned_C, True, "pseudo-labels", label)
        sub = "Number of classes by how many pseudo-labels they have"
        made.append({"heading": findings.counts_heading(found.assigned_C), "sub": sub, "plot": drawn})
    return made


def relative(density_C: np.ndarray) -> np.ndarray:
    """Of the densest class: the sums of exponentials themselves say nothing to a reader, and r is the same."""
    most = np.nanmax(density_C) if np.isfinite(density_C).any() else 1.0
    scaled_C: np.ndarray = density_C / (most or 1.0)
    return scaled_C


def _bars(run: Run, found: Analyses) -> list[dict[str, Any]]:
    """Bars of each class: a table each, which charts of the same numbers point to."""
    made: list[dict[str, Any]] = []
    if np.isfinite(found.aggregation_C).any():
        rows = [
            (code, round(BAR * value, 1), two_decimals(value), "")
            for code, value in enumerate(found.aggregation_C.tolist())
            if np.isfinite(value)
        ]
        heading = findings.class_aggregation_heading(found.aggregation_C, run.classes)
        sub = "Aggregation by class after the last epoch, 1 at most"
        made.append({"heading": heading, "sub": sub, "column": "Aggregation", "rows": rows, "more": ""})
    if len(found.assigned_C):
        longest = found.assigned_C.max() or 1
        density = [two_decimals(value) if np.isfinite(value) else "–" for value in relative(found.density_C).tolist()]
        rows = [
            (code, round(BAR * n / longest, 1), number(int(n)), density[code] if density else "")
            for code, n in enumerate(found.assigned_C.tolist())
        ]
        made.append(
            {
                "heading": findings.counts_heading(found.assigned_C),
                "sub": "Pseudo-labels by class",
                "column": "Pseudo-labels",
                "rows": rows,
                "more": "Density" if density else "",
            }
        )
    return made


def _epoch_rows(found: Analyses) -> dict[str, Any]:
    return epoch_table(
        [
            ("Aggregation", found.aggregation, two_decimals),
            ("with labels only", found.baseline_aggregation, two_decimals),
            ("Nearest of the same class", found.neighbors, percent_of),
            ("with labels only", found.baseline_neighbors, percent_of),
            ("Pseudo-labels right", found.pseudo, percent_of),
            ("by weight", found.weighted, percent_of),
            ("Pearson's r", found.correlation, signed),
        ]
    )


def epoch_table(columns: Sequence[tuple[str, Curve, Callable[[float], str]]]) -> dict[str, Any]:
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


def _class_rows(run: Run, found: Analyses) -> dict[str, Any] | None:
    """The numbers behind the histograms, the least aggregated first; None where bars show them already."""
    c = len(run.classes)
    if c < BARS or not len(found.aggregation_C):
        return None
    order = np.argsort(found.aggregation_C, kind="stable").tolist()
    kept = order[:TABLE_CLASSES] if c >= MANY_CLASSES else order
    density_C = relative(found.density_C) if len(found.density_C) else np.full(c, np.nan)
    rows = []
    for code in kept:
        numbers = [two_decimals(v) if np.isfinite(v) else "–" for v in (found.aggregation_C[code], density_C[code])]
        rows.append((code, *numbers, number(int(found.assigned_C[code])) if len(found.assigned_C) else "–"))
    return {"rows": rows, "note": f"The {number(len(kept))} least aggregated of {number(c)}" if len(kept) < c else ""}
