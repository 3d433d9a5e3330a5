"""The page: template, styles and script of the folder `page`, joined to one file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from labelprop.core.files import write_text
from labelprop.core.text import counted
from labelprop.report.draw.pictures import Sheets, large_pictures, make_sheets
from labelprop.report.gather.against import read_other
from labelprop.report.gather.finished_run import FinishedRun, read_run
from labelprop.report.gather.numbers import certainty_text, percent
from labelprop.report.view.payload import payload, script_json
from labelprop.report.view.sections import EXCERPT, make_view
from labelprop.report.words import brief, excerpt, number, visible

PAGE_BYTES = 8_000_000  # with pictures: 2 MB below the budget of the page
STYLES = ("base.css", "sections.css", "embedding.css", "small.css")
SCRIPTS = ("base.js", "trust.js", "map.js", "map_input.js", "checks.js", "viewer.js", "start.js")
SHOWN_AT = (24, 32, 64, 72, 96)  # pixels; the sizes of pictures in sections.css


def write_report(run_folder: Path, against: Path | None = None) -> Path:
    """Writes report.html of a finished run folder atomically and returns its path.

    `against` is the folder of another run on the same data, which gets a part of the page.
    RequestError where a folder is not a finished run or the two do not fit, StorageError where the file cannot be
    written.
    """
    run = read_run(run_folder)
    page = render(run, read_other(against, run) if against is not None else None)
    path = run_folder / "report.html"
    write_text(path, page)
    return path


def render(run: FinishedRun, other: FinishedRun | None = None) -> str:
    """The page as text, at most about 8 MB of pictures included; `other` is a run to set beside it."""
    shown = np.flatnonzero(run.rows.shown_N)
    pictures, doubtful = [run.rows.pictures[i] for i in shown], np.argsort(run.rows.exact_N[shown], kind="stable")
    large = large_pictures({int(place): pictures[place] for place in doubtful})
    static = 200 * len(run.classes) * 2 + 150_000
    room = max(0, PAGE_BYTES - len(script_json(payload(run, None, large)).encode()) - static)
    sheets = make_sheets(pictures, room) if run.has_pictures else None
    script = "(() => {\n" + "\n".join(_part(name) for name in SCRIPTS) + "})();\n"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            **make_view(run, sheets, other),
            style=Markup("\n".join(_part(name) for name in STYLES) + picture_style(sheets)),
            script=Markup(script),
            digest=digest,
            data=Markup(script_json(payload(run, sheets, large))),
        )
    )


def picture_style(sheets: Sheets | None) -> str:
    """One rule a sheet, and whole pixels for pictures shown larger than they are."""
    if sheets is None:
        return ""
    rules = [
        f".p{index}{{background-image:url({sheet.address});--rows:{sheet.rows}}}"
        for index, sheet in enumerate(sheets.sheets)
    ]
    enlarged = [f".s{edge}" for edge in SHOWN_AT if edge > sheets.original]
    if enlarged:
        rules.append(",".join(enlarged) + "{image-rendering:pixelated}")
    return "\n" + "\n".join(rules)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("labelprop.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "number": number,
        "count": counted,
        "percent": percent,
        "brief": brief,
        "visible": visible,
        "certainty": certainty_text,
        "flags": flags_as_code,
        "excerpt": lambda text: excerpt(text or "", EXCERPT),
    }
    environment.filters.update(filters)
    return environment


def flags_as_code(text: str) -> Markup:
    """A text in which flags stand as code and are not broken at their dashes."""
    return Markup(re.sub(r"--[a-z][a-z-]*", r'<code class="nowrap">\g<0></code>', str(escape(text))))


def _part(name: str) -> str:
    return (resources.files("labelprop.report") / "page" / name).read_text(encoding="utf-8")
