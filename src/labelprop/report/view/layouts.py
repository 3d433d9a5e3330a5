"""What the template prints of examples laid out in the plane: a few classes over time, and one class alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelprop.report.draw import plots
from labelprop.report.draw.mds import lay_out, lay_out_in_turn
from labelprop.report.draw.subgroups import find_subgroups
from labelprop.report.gather.embedding import class_of_rows, moments, near_their_own
from labelprop.report.gather.numbers import percent_of, signed
from labelprop.report.gather.page import Look, Run, read_look
from labelprop.report.say import embedding as findings
from labelprop.report.words import brief, count

COLORS = 10
SHORT_NAME = 9  # letters that fit beside a dot
PANEL_NAME = 14
FEWEST_FOLLOWED = 3


def over_time(run: Run) -> dict[str, Any] | None:
    """The followed rows at a few moments, side by side."""
    found = moments(run)
    if not found or len(found[0].look.rows_of_classes_S) < FEWEST_FOLLOWED:
        return None
    rows_S = found[0].look.rows_of_classes_S
    code_S = class_of_rows(run)[rows_S]
    codes = sorted({code for code in code_S.tolist() if 0 <= code < len(run.classes)})
    if not codes or (code_S < 0).any():
        return None
    group_S = np.searchsorted(codes, code_S)
    vectors = [moment.look.vectors_of_classes_SD for moment in found]
    layouts = lay_out_in_turn(vectors)
    reach = plots.reach_of([layout.places_N2 for layout in layouts])
    own = [near_their_own(vectors_SD, code_S) for vectors_SD in vectors]
    names = [brief(run.classes[code], PANEL_NAME) for code in codes]
    ringed_S = run.rows.given_N[rows_S]
    return {
        "heading": findings.over_time_heading(len(codes), own),
        "note": f"{count(len(rows_S), run.noun)}; metric multidimensional scaling of their distances, stress "
        f"{stresses([layout.stress for layout in layouts])} (0 keeps all), the same scale in each",
        "groups": [(code, _color(run, code, place)) for place, code in enumerate(codes)],
        "ringed": bool(ringed_S.any()),
        "panels": [
            {
                "epoch": moment.epoch,
                "panel": plots.panel(layout.places_N2, group_S, ringed_S, reach, names),
                "own": percent_of(share),
                "last": moment is found[-1],
            }
            for moment, layout, share in zip(found, layouts, own, strict=True)
        ],
    }


def _color(run: Run, code: int, place: int) -> int:
    """The class's own color, or of many classes that of its place among the followed ones."""
    return code if len(run.classes) <= COLORS else place


def stresses(values: Sequence[float]) -> str:
    low, high = signed(min(values)), signed(max(values))
    return low if low == high else f"{low} to {high}"


def one_class(run: Run) -> dict[str, Any] | None:
    """The most numerous class alone, with its sub-groups and the example nearest to the center of each."""
    look = _last_look(run)
    if look is None:
        return None
    rows_S, vectors_SD = look.rows_of_one_S, look.vectors_of_one_SD
    groups = find_subgroups(vectors_SD)
    codes = set(class_of_rows(run)[rows_S].tolist())
    if groups is None or len(codes) != 1 or not codes <= set(range(len(run.classes))):
        return None
    (code,) = codes
    layout = lay_out(vectors_SD)
    sizes = groups.sizes
    shown_S = run.rows.shown_N[rows_S]
    exemplars = [int(rows_S[groups.exemplar(group, shown_S)]) for group in range(len(sizes))]
    reach = plots.reach_of([layout.places_N2])
    return {
        "heading": findings.one_class_heading(run.classes[code], len(sizes), groups.silhouette),
        "sub": f"{count(len(rows_S), run.noun)} of the most numerous class; k-means into up to six groups, here as "
        f"many as separate best (mean silhouette {signed(groups.silhouette)}; 1 is apart, 0 touching)",
        "panel": plots.panel(
            layout.places_N2, groups.group_S, run.rows.given_N[rows_S], reach, [str(g + 1) for g in range(len(sizes))]
        ),
        "ringed": bool(run.rows.given_N[rows_S].any()),
        "stress": signed(layout.stress),
        "groups": [
            (findings.group_size(size, len(rows_S), run.noun), exemplar, bool(run.rows.shown_N[exemplar]))
            for size, exemplar in zip(sizes, exemplars, strict=True)
        ],
    }


def _last_look(run: Run) -> Look | None:
    return read_look(run.looks[max(run.looks)], run.rows.n) if run.looks else None
