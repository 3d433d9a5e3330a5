"""Everything the template prints, by section. No HTML here, no reading of files."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelprop.report.draw import charts
from labelprop.report.draw.pictures import Sheets
from labelprop.report.gather.classes import Classes
from labelprop.report.gather.comparison import Comparison, comparison_heading, comparisons
from labelprop.report.gather.numbers import percent_of
from labelprop.report.gather.page import Run
from labelprop.report.gather.training import Training, read_training
from labelprop.report.say import facts, findings, summary
from labelprop.report.view import table
from labelprop.report.view.against import against_view
from labelprop.report.view.embedding import embedding_view
from labelprop.report.words import count, number

COLORS = 10
EXCERPT = 80
SHORT_NAME = 9  # letters that fit half a column


def make_view(run: Run, sheets: Sheets | None, other: Run | None = None) -> dict[str, Any]:
    """The template's variables; `other` is a run to set beside this one.

    Sections without data are None or empty and left out by the template.
    """
    classes, compared = Classes(run), comparisons(run)
    unlabeled = next((c for c in compared if c.examples == "unlabeled"), compared[0] if compared else None)
    return {
        "run": run,
        "trust": run.trust,
        "nouns": f"{run.noun}s",
        "colors": len(run.classes) <= COLORS,
        "kind": "image" if sheets else "text" if run.has_texts else "example",
        "sheets": sheets,
        "cells": _cells(run, sheets),
        "kicker": [
            f"labelprop {run.verb}",
            f"{'recipe' if run.verb == 'train' else 'method'} {run.recipe}",
            facts.day(run.date),
        ],
        "headline": findings.headline(run),
        "summary": [
            ("What you gave", summary.gave(run, classes)),
            ("What you got", summary.got(run, classes, unlabeled)),
            ("How far to trust it", summary.trust_in_it(run)),
            ("What to do next", summary.next_step(run, classes)),
        ],
        "trust_section": _trust(run),
        "map_section": _map(run, classes) if run.has_map else None,
        "check_section": _check(run),
        "classes_section": _classes(classes),
        "training_section": _training(run, compared) if run.history else None,
        "embedding_section": embedding_view(run, read_training(run)) if run.history else None,
        "compared_section": None if run.history else _compared(run, compared),
        "against_section": against_view(run, other) if other is not None else None,
        "run_section": {
            "command": facts.command_without_paths(run.command),
            "settings": facts.settings(run),
            "stages": facts.stages(run),
            "files": facts.files(run),
            "skipped": facts.skipped(run),
            "words": facts.words(run),
        },
    }


def _cells(run: Run, sheets: Sheets | None) -> dict[int, tuple[int, int, int]]:
    """Row to (sheet, column, row) of its picture."""
    if sheets is None:
        return {}
    return {int(i): sheets.cell(j) for j, i in enumerate(np.flatnonzero(run.rows.shown_N))}


def _trust(run: Run) -> dict[str, Any]:
    trust = run.trust
    if trust.n == 0:
        return {"heading": findings.trust_heading(run), "bands": []}
    longest = max(band.rows for band in trust.bands)
    bands = [
        (
            band,
            table.BAND_BAR * (band.rows - band.share.wrong) / longest,
            table.BAND_BAR * band.share.wrong / longest,
        )
        for band in trust.bands
    ]
    return {
        "heading": findings.trust_heading(run),
        "sentence": summary.keep_sentence(run, trust.kept),
        "bands_heading": findings.bands_heading(run),
        "bands": bands,
    }


def _map(run: Run, classes: Classes) -> dict[str, Any]:
    on_map = int(np.isfinite(run.rows.place_N2).all(1).sum())
    everything = on_map == run.rows.n
    which = (
        f"all {count(on_map, run.noun)}" if everything else f"{number(on_map)} of {count(run.rows.n, run.noun)} shown"
    )
    many, one = len(run.classes) > COLORS, len(run.classes) == 1
    colorings = [("label", "Label"), ("kept", "Kept or to check"), ("right", "Right or wrong")]
    return {
        "heading": findings.map_heading(run),
        "note": f"The embedding by {run.projection or 'projection'}; {which}. Distances between groups mean little.",
        "legend": classes.doubtful_first if many else classes.counts,
        "searchable": many,
        "long_names": any(len(name) > SHORT_NAME for name in run.classes),
        "colorings": colorings[one : 3 if run.has_truth else 2],
        "coloring": "kept" if many or one else "label",
        "unreached": run.unreached,
        "errors": run.trust.all.wrong,
    }


def _check(run: Run) -> dict[str, Any]:
    if run.trust.rest == 0:
        return {"heading": findings.check_heading(run), "nothing": findings.nothing_to_check(run), "rows": []}
    held = int((run.rows.pool_N & run.rows.shown_N).sum())
    return {
        "heading": findings.check_heading(run),
        "nothing": "",
        "rows": table.check_rows(run),
        "held": held,
        "total": run.trust.n,
        "unreached": run.unreached,
        "again": facts.again(run),
    }


def _classes(classes: Classes) -> dict[str, Any]:
    run = classes.run
    many = len(run.classes) >= table.MANY_CLASSES
    errors = bool(classes.pairs)
    tested = run.has_truth and len(run.classes) > 1
    pairs = table.pair_rows(classes) if errors and tested else []
    return {
        "heading": findings.classes_heading(classes),
        "rows": table.class_rows(classes),
        "start": table.class_scale(classes),
        "many": many,
        "weakest": table.WEAKEST_SHOWN,
        "tested": tested,
        "no_error": findings.no_error(run) if tested and not errors else "",
        "matrix": table.matrix_rows(classes) if errors and tested and not many else [],
        "wide": len(run.classes) > 12,
        "tall_names": any(len(name) > 3 for name in run.classes),
        "confusion_heading": findings.confusion_heading(classes.pairs, run.names),
        "pairs": pairs,
        "pairs_heading": findings.pairs_heading(len(pairs), bool(run.has_pictures)),
    }


def _training(run: Run, compared: tuple[Comparison, ...]) -> dict[str, Any]:
    training = read_training(run)
    first = next(iter(compared), None)
    return {
        "heading": findings.training_heading(first, training.phases, run.noun),
        "comparisons": [_rivals(comparison, run) for comparison in compared],
        "charts": _charts(run, training),
        "note": findings.phases_note(training.phases, run.noun),
        "epochs": training.epochs,
    }


def _compared(run: Run, compared: tuple[Comparison, ...]) -> dict[str, Any] | None:
    """Whether a run without training was worth it; None where nothing simpler was tried."""
    agreement = facts.agreement(run)
    if not compared and not agreement:
        return None
    return {
        "heading": comparison_heading(next(iter(compared), None), run.noun),
        "comparisons": [_rivals(comparison, run) for comparison in compared],
        "agreement": agreement,
    }


def _rivals(comparison: Comparison, run: Run) -> dict[str, Any]:
    shares = [rival.share for rival in comparison.rivals]
    lows, highs = [share.bounds[0] for share in shares], [share.bounds[1] for share in shares]
    start, end = int(100 * min(lows)), min(100, -int(-100 * max(highs) // 1))
    start = min(start, end - 1)
    what = {"test": "test examples", "hidden": "given labels, each hidden once"}
    note = {
        "hidden": "An estimate: it holds for the rest as far as the given ones are like them",
        "test": f"One run each, so the choice of the given {run.noun}s counts too and is not in the bars",
    }
    if comparison.examples == "unlabeled" and comparison.n > run.trust.all.n:
        note["unlabeled"] = "Those without a label count as wrong"
    return {
        "heading": f"Compared on the same {number(comparison.n)} {what.get(comparison.examples, run.noun + 's')}",
        "note": note.get(comparison.examples, note["test"]),
        "start": start,
        "end": end,
        "rows": [(rival, charts.dot(rival.share, start, end)) for rival in comparison.rivals],
    }


def _charts(run: Run, training: Training) -> list[dict[str, Any]]:
    starts = training.last_phase
    made = []
    if training.accuracy:
        drawn = charts.curves(
            charts.against_labels_only(training.accuracy, training.baseline_accuracy),
            training.epochs,
            starts,
            percent_of,
            f"Share right on the unlabeled {run.noun}s by epoch, at last {percent_of(training.accuracy.last)}",
            1.0,
        )
        heading = findings.accuracy_heading(training.accuracy, training.baseline_accuracy, training.phases)
        made.append({"heading": heading, "sub": f"Share right on the unlabeled {run.noun}s", "chart": drawn})
    if training.loss:
        drawn = charts.curves(
            charts.against_labels_only(training.loss, training.baseline_loss),
            training.epochs,
            starts,
            lambda value: f"{value:.2f}",
            f"Mean training loss by epoch: this run ends at {training.loss.last:.2f}",
            None,
        )
        heading = findings.loss_heading(training.loss, training.baseline_loss)
        made.append({"heading": heading, "sub": "Mean training loss of an epoch", "chart": drawn})
    return made
