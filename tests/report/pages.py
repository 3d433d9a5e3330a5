"""Reading a report page: its text, and the page in a browser that notes every request and message."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]


def find_browser() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


class _Said(HTMLParser):
    """Headings, the summary, the sentence of the threshold and the ledes, a line each."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        classes = (dict(attributes).get("class") or "").split()
        if tag in ("h1", "h2", "h3", "dt", "dd") or {"say", "lede", "sub", "keyline", "then"} & set(classes):
            self.lines.append(f"{tag}: ")
            self._open.append(tag)
        elif self._open and tag == self._open[-1]:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and tag == self._open[-1]:
            self._open.pop()

    def handle_data(self, text: str) -> None:
        if self._open:
            self.lines[-1] += text


def said(page: str) -> str:
    """What a page says in words, for comparison with a golden file; settings and stages of the run left out."""
    parser = _Said()
    parser.feed(page[: page.index('<section id="run"')])
    return "\n".join(" ".join(line.split()) for line in parser.lines) + "\n"


@dataclass
class Opened:
    """A page in the browser with what it asked for and said."""

    page: Any
    requests: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector))

    def run(self, script: str) -> Any:
        return self.page.evaluate(script)


@contextmanager
def opened(browser: Any, path: Path, width: int = 1280, **options: Any) -> Iterator[Opened]:
    """Opens a page in a fresh context; dialogs are noted and dismissed."""
    context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True, **options)
    page = context.new_page()
    found = Opened(page)
    page.on("request", lambda request: found.requests.append(request.url[:80]))
    page.on("console", lambda message: found.messages.append(message.text))
    page.on("pageerror", lambda error: found.messages.append(str(error)))

    def dismiss(dialog: Any) -> None:
        found.messages.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(path.as_uri())
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    try:
        yield found
    finally:
        context.close()
