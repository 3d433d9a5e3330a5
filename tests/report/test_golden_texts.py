from pathlib import Path

import pytest

from labelprop.report.gather.page import read_run
from labelprop.report.render import render
from report.pages import said
from report.states import STATES
from report.synthetic import write_run

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("state", STATES)
def test_every_heading_and_the_summary(state, tmp_path, update_golden):
    found = said(render(read_run(write_run(tmp_path, STATES[state]))))
    path = GOLDEN / f"{state}.txt"
    if update_golden:
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"look at it, then run pytest --update-golden for {path.name}"


def test_no_golden_file_is_left_over():
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(STATES)
