"""One browser and one page a state for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from labelprop.report.render import write_report
from report.pages import QUIET, find_browser
from report.states import STATES
from report.synthetic import write_run


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """By state: report.html in the folder of its run, each written once."""
    written: dict[str, Path] = {}

    def page(state: str) -> Path:
        if state not in written:
            written[state] = write_report(write_run(tmp_path_factory.mktemp(state), STATES[state]))
        return written[state]

    return page


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    executable = find_browser()
    if executable is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH: the page is not tested in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=executable, args=QUIET)
        yield found
        found.close()
