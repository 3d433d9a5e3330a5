"""Everything the template prints, by section. No HTML here, no reading of files."""

from __future__ import annotations

from typing import Any

import numpy as np

from labelprop.core.text import counted
from labelprop.report.draw.intervals import dot, scale_start
from labelprop.report.draw.pictures import Sheets
from labelprop.report.gather.classes import Classes
from labelprop.report.gather.comparison import Comparison, comparisons
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.numbers import TARGETS, Share, Trust, percent_of
from labelprop.report.say import facts, findings
from labelprop.report.say import verdict as say_verdict
from labelprop.report.say.verdict import Asked
from labelprop.report.view.against import against_view
from labelprop.report.view.embedding import embedding_view
from labelprop.report.view.figures import (
    COLORS,
    MANY_CLASSES,
    MARKS,
    SHORT_NAME,
    Figure,
    against_labels_only,
    curve_figure,
)
from labelprop.report.words import number

EXCERPT = 80  # characters that stand for a text
STATIC_ROWS = 25  # of the table To check; the script adds the others
STRIP, STRIP_MANY, LINES = 7, 4, 3  # examples of a class: pictures, pictures of many classes, lines of text
CONFUSIONS, CONFUSIONS_MANY, PER_CONFUSION = 6, 30, 8  # the commonest, of many classes, pictures of each


def make_view(run: FinishedRun, sheets: Sheets | None, other: FinishedRun | None = None) -> dict[str, Any]:
    """The template's variables; `other` is a run to set beside this one.

    Sections without data are None or empty and left out by the template.
    """
    classes, compared = Classes(run), comparisons(run)
    shown = int(run.rows.shown_N.sum())
    return {
        "run": run,
        "trust": run.trust,
        "classes": classes,
        "nouns": f"{run.noun}s",
        "colors": len(run.classes) <= COLORS,
        "marks": MARKS,
        "kind": "image" if sheets else "text" if run.has_texts else "example",
        "cells": _sprites(run, sheets),
        "kicker": [f"labelprop {run.verb}", f"{run.kind_of_method} {run.recipe}", facts.day(run.date)],
        **_judged(run, classes),
        "compared": next((found for found in compared if found.examples != "test"), None),
        "class_sizes": findings.class_sizes(classes),
        "left_out": f"{number(shown)} of {counted(run.rows.n, run.noun)}" if shown < run.rows.n else "",
        "trust_section": {
            "heading": findings.trust_heading(run),
            "bands_heading": findings.bands_heading(run.trust, run.noun),
            "targets": _targets(run.trust),
        },
        "map_section": _map(run, classes) if run.has_map else None,
        "check_section": _check(run),
        "classes_section": _classes(classes),
        "training_section": _training(run, compared) if run.history else None,
        "embedding_section": embedding_view(run) if run.history else None,
        "compared_section": None if run.history else _compared(run, compared),
        "against_section": against_view(run, other) if other is not None else None,
        "run_section": {
            "command": facts.command_without_paths(run.command),
            "settings": facts.settings(run),
            "choice": facts.choice(run),
            "stages": facts.stages(run),
            "files": facts.files(run),
            "skipped": facts.skipped(run),
        },
    }


def _judged(run: FinishedRun, classes: Classes) -> dict[str, Any]:
    """The verdict in words, and what to do."""
    verdict, labeled = run.verdict, run.trust.n
    asked = run.request.get("recipe" if run.verb == "train" else "method")
    done = Asked(
        verb="train" if run.verb == "train" else "propagate",
        method=asked if isinstance(asked, str) else run.recipe,
        backbone=run.backbone,
        noun=run.noun,
        given=classes.given,
        n_neighbors=say_verdict.fewer_neighbors(
            run.recipe, run.settings.get("n_neighbors"), run.rows.n, len(run.classes)
        )
        if run.verb == "propagate"
        else 0,
    )
    return {
        "headline": say_verdict.headline(verdict, run.noun, run.n_unlabeled, labeled, run.n_given),
        "evidence": Share(verdict.right, verdict.n),
        "remedies": say_verdict.remedies(done, verdict),
        "how_to_measure": say_verdict.how_to_measure(run.noun, labeled),
        "threshold": findings.threshold(run),
        "next_step": findings.next_step(run),
    }


def _targets(trust: Trust) -> list[tuple[str, int, bool]]:
    """Name of each target, how many rows are kept for it (0: none), and whether it is the highest that is shown."""
    reached = [trust.reach(target) for target in TARGETS]
    shown = max((at for at, kept in enumerate(reached) if kept and kept == trust.kept), default=-1)
    return [(f"{target:.0%} right", reached[at], at == shown) for at, target in enumerate(TARGETS)]


def _sprites(run: FinishedRun, sheets: Sheets | None) -> dict[int, tuple[int, int, int]]:
    """Row to (sheet, column, row) of its picture."""
    if sheets is None:
        return {}
    return {int(i): sheets.cell(j) for j, i in enumerate(np.flatnonzero(run.rows.shown_N))}


def _map(run: FinishedRun, classes: Classes) -> dict[str, Any]:
    many, one = len(run.classes) > COLORS, len(run.classes) == 1
    colorings = [("label", "Label"), ("kept", "Kept or to check"), ("right", "Right or wrong")]
    return {
        "heading": findings.map_heading(run),
        "on_map": int(np.isfinite(run.rows.place_N2).all(1).sum()),
        "legend": classes.doubtful_first if many else classes.counts,
        "searchable": many,
        "long_names": any(len(name) > SHORT_NAME for name in run.classes),
        "colorings": colorings[one : 3 if run.has_truth else 2],
        "coloring": "kept" if many or one else "label",
    }


def _check(run: FinishedRun) -> dict[str, Any]:
    """`rows`: the first of the table, least certain first, ties by input order."""
    shown_M = np.flatnonzero(run.rows.pool_N & run.rows.shown_N)
    return {
        "heading": findings.check_heading(run),
        "nothing": findings.nothing_to_check(run),
        "rows": shown_M[np.argsort(run.rows.certainty_N[shown_M], kind="stable")][:STATIC_ROWS].tolist(),
        "held": len(shown_M),
        "again": facts.again(run),
    }


def _classes(classes: Classes) -> dict[str, Any]:
    """Rows in the order of the classes; from a hundred classes on weakest first, without a matrix of confusions."""
    run, many = classes.run, len(classes.run.classes) >= MANY_CLASSES
    start = scale_start(entry.share for entry in classes.counts)
    examples = LINES if not run.has_pictures else STRIP_MANY if many else STRIP
    confused = classes.pairs[: CONFUSIONS_MANY if many else CONFUSIONS] if len(run.classes) > 1 else ()
    return {
        "heading": findings.classes_heading(classes),
        "rows": [
            (entry, dot(entry.share, start) if entry.share.n else None, *classes.examples(entry.code, examples))
            for entry in (classes.weakest_first if many else classes.counts)
        ],
        "start": start,
        "longest": max(entry.got for entry in classes.counts) or 1,
        "many": many,
        "no_error": findings.no_error(run) if run.has_truth and len(run.classes) > 1 and not classes.pairs else "",
        "wide": len(run.classes) > 12,  # the matrix does not fit into half the page
        "tall_names": any(len(name) > 3 for name in run.classes),  # above its columns they stand upright
        "confusions": [
            (found, classes.mistakes(found, PER_CONFUSION if run.has_pictures else LINES)) for found in confused
        ],
        "confusion_heading": findings.confusion_heading(classes.pairs, run.names) if confused else "",
    }


def _training(run: FinishedRun, compared: tuple[Comparison, ...]) -> dict[str, Any]:
    figures: list[Figure] = []
    if accuracy := run.own.monitored("accuracy"):
        named = against_labels_only(accuracy, run.baseline.monitored("accuracy"))
        sub = f"Share right on the unlabeled {run.noun}s"
        figures.append(curve_figure("Share right", sub, named, percent_of, starts=run.last_phase))
    if loss := run.own.loss:
        named = against_labels_only(loss, run.baseline.loss)
        sub, starts = "Mean training loss of an epoch", run.last_phase
        figures.append(curve_figure("Loss", sub, named, lambda value: f"{value:.2f}", starts=starts, top=None))
    return {
        "heading": findings.gain_heading(next(iter(compared), None), run.noun),
        "comparisons": [_ways(comparison) for comparison in compared],
        "charts": figures,
        "phases": run.own.phases,
    }


def _compared(run: FinishedRun, compared: tuple[Comparison, ...]) -> dict[str, Any] | None:
    """Whether a run without training was worth it; None where nothing simpler was tried."""
    agreement = facts.agreement(run)
    if not compared and not agreement:
        return None
    return {
        "heading": findings.gain_heading(next(iter(compared), None), run.noun),
        "comparisons": [_ways(comparison) for comparison in compared],
        "agreement": agreement,
    }


def _ways(comparison: Comparison) -> dict[str, Any]:
    """A comparison on a scale from the lowest to the highest end of an interval, in whole percent."""
    shares = [way.share for way in comparison.ways]
    end = min(100, -int(-100 * max(share.bounds[1] for share in shares) // 1))
    start = min(int(100 * min(share.bounds[0] for share in shares)), end - 1)
    return {
        "examples": comparison.examples,
        "n": comparison.n,
        "start": start,
        "end": end,
        "rows": [(way, dot(way.share, start, end)) for way in comparison.ways],
    }
