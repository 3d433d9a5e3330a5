import base64
import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from labelprop.core.errors import StorageError
from labelprop.report import render
from labelprop.report.gather.finished_run import read_run
from labelprop.report.render import write_report
from labelprop.report.view.payload import curve, payload
from report.states import HOSTILE, STATES
from report.synthetic import Spec, write_run


def page_of(folder, spec):
    return write_report(write_run(folder, spec)).read_text(encoding="utf-8")


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S).group(1))


def test_the_policy_names_the_script_of_the_page(tmp_path):
    page = page_of(tmp_path, Spec(n=60))
    script = re.search(r"<script>(.*?)</script>", page, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in page
    assert page.count("<script") == 2


def test_the_page_asks_for_nothing_outside_itself(tmp_path):
    page = page_of(tmp_path, Spec(n=60, kind="color"))
    assert not re.search(r"""(src|href)\s*=\s*["'](?!#|data:)""", page)
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_no_path_of_the_machine(tmp_path):
    command = f"labelprop train {tmp_path}/photos --out {tmp_path}/run"
    page = page_of(tmp_path, Spec(n=60, command=command, settings={"cache": f"{tmp_path}/cache"}))
    assert str(tmp_path) not in page
    assert "/home/" not in page


def test_hostile_names_are_text(tmp_path):
    page = page_of(tmp_path, STATES["hostile"])
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "\u202e" not in page.split('id="data">')[0]
    assert data_of(page)["classes"] == list(HOSTILE)


def test_script_and_template_never_set_markup():
    for name in render.SCRIPTS:
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", render._part(name))
    for template in (files("labelprop.report") / "page").iterdir():
        assert "|safe" not in template.read_text(encoding="utf-8")


def test_without_truth_the_data_hold_none(tmp_path):
    data = data_of(page_of(tmp_path, STATES["no_truth"]))
    assert data["rows"]["truth"] is None
    assert data["truth"] == "none"


@pytest.mark.parametrize("state", ["truth", "some_truth", "unreached", "nothing_to_check", "all_given"])
def test_levels_and_curve_count_every_row(state, tmp_path):
    run = read_run(write_run(tmp_path, STATES[state]))
    data = payload(run, None, {})
    assert sum(rows for _, rows, _, _ in data["levels"]) == run.trust.n
    assert sum(known - right for _, _, known, right in data["levels"]) == run.trust.all.wrong == data["wrong"]
    points = curve(run.trust)
    assert len(points) <= 1000
    if run.trust.n:
        assert points[-1][0] == run.trust.n
        assert points[-1][2] - points[-1][3] == run.trust.all.wrong


def test_a_failed_write_keeps_the_page_that_was_there(tmp_path, monkeypatch):
    folder = write_run(tmp_path, Spec(n=40))
    before = write_report(folder).read_bytes()

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"report\.html"):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert [path.name for path in folder.iterdir() if "partial" in path.name] == []


def test_rows_beyond_the_shown_ones_count_in_every_number(tmp_path):
    page = page_of(tmp_path, STATES["many_rows"])
    data = data_of(page)
    assert len(data["rows"]["id"]) == 300
    assert data["n"] == 370
    assert "300 of 400 images shown" in page


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["color", "text"])
def test_size_at_ten_thousand_rows(kind, tmp_path):
    classes = tuple(f"class {k}" for k in range(12))
    page = page_of(tmp_path, Spec(n=10_000, kind=kind, classes=classes))
    assert len(page.encode()) < 8_200_000
