"""Template variables of the examples laid out in the plane: a few classes over time, and one class alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from labelprop.core.text import counted
from labelprop.evaluation.analyses import nearest_neighbor_accuracy
from labelprop.report.draw import panels
from labelprop.report.draw.mds import lay_out, lay_out_in_turn
from labelprop.report.draw.subgroups import find_subgroups
from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.followed import FollowedVectors, class_of_rows
from labelprop.report.gather.numbers import percent, percent_of, signed
from labelprop.report.say import embedding as say
from labelprop.report.view.figures import COLORS
from labelprop.report.words import brief

PANEL_NAME = 14  # letters that fit into a panel
FEWEST_FOLLOWED = 3  # fewer rows always keep their distances in the plane


def over_time(run: FinishedRun, found: Sequence[FollowedVectors]) -> dict[str, Any] | None:
    """The followed rows at a few moments, side by side."""
    rows_S = found[0].rows_of_classes_S if found else np.empty(0, np.int64)
    code_S = class_of_rows(run)[rows_S]
    codes = sorted({code for code in code_S.tolist() if code < len(run.classes)})
    if len(rows_S) < FEWEST_FOLLOWED or not codes or (code_S < 0).any():
        return None
    group_S, ringed_S = np.searchsorted(codes, code_S), run.rows.given_N[rows_S]
    vectors = [moment.vectors_of_classes_SD for moment in found]
    layouts = lay_out_in_turn(vectors)
    reach = panels.reach_of([layout.places_N2 for layout in layouts])
    own = [nearest_neighbor_accuracy(vectors_SD, code_S) or 0.0 for vectors_SD in vectors]
    names = [brief(run.classes[code], PANEL_NAME) for code in codes]
    colored = len(run.classes) <= COLORS  # else a class has the color of its place among the followed ones
    return {
        "heading": say.over_time_heading(len(codes), own),
        "note": f"{counted(len(rows_S), run.noun)}; metric multidimensional scaling of their distances, stress "
        f"{', '.join(signed(layout.stress) for layout in layouts)} (0 keeps all), the same scale in each",
        "groups": [(code, code if colored else place) for place, code in enumerate(codes)],
        "ringed": bool(ringed_S.any()),
        "panels": [
            (moment.epoch, panels.panel(layout.places_N2, group_S, ringed_S, reach, names), percent_of(share))
            for moment, layout, share in zip(found, layouts, own, strict=True)
        ],
    }


def one_class(run: FinishedRun, found: Sequence[FollowedVectors]) -> dict[str, Any] | None:
    """The most numerous class alone, with its sub-groups and the example nearest to the center of each."""
    if not found:
        return None
    rows_S, vectors_SD = found[-1].rows_of_one_S, found[-1].vectors_of_one_SD
    groups = find_subgroups(vectors_SD)
    codes = set(class_of_rows(run)[rows_S].tolist())
    if groups is None or len(codes) != 1 or not codes <= set(range(len(run.classes))):
        return None
    (code,), sizes, layout = codes, groups.sizes, lay_out(vectors_SD)
    ringed_S, shown_S = run.rows.given_N[rows_S], run.rows.shown_N[rows_S]
    names, reach = [str(group + 1) for group in range(len(sizes))], panels.reach_of([layout.places_N2])
    exemplars = [int(rows_S[groups.exemplar(group, shown_S)]) for group in range(len(sizes))]
    return {
        "heading": say.one_class_heading(run.classes[code], len(sizes), groups.silhouette),
        "sub": f"{counted(len(rows_S), run.noun)} of the most numerous class; k-means into up to six groups, here as "
        f"many as separate best (mean silhouette {signed(groups.silhouette)}; 1 is apart, 0 touching)",
        "panel": panels.panel(layout.places_N2, groups.group_S, ringed_S, reach, names),
        "ringed": bool(ringed_S.any()),
        "stress": signed(layout.stress),
        "groups": [
            (f"{counted(n, run.noun)}, {percent(n, len(rows_S))}", row, bool(run.rows.shown_N[row]))
            for n, row in zip(sizes, exemplars, strict=True)
        ],
    }
