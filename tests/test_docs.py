"""The pages say what is there: files, functions, links, commands with their flags, numbers that are saved."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import labelprop
from labelprop.cli.main import app

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "labelprop"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(TEXTS[page])):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{page.name} links to {target}"


def names_in(path: Path) -> set[str]:
    """Functions, classes and constants of a file, methods as Class.method."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


@every_page
def test_files_and_functions_of_the_package_are_there(page: Path) -> None:
    """In backticks `room/file.py`, `room/`, or `room/file.py:function`, below src/labelprop or the repository."""
    for path, name in re.findall(r"`([\w./]+(?:\.py|/))(?::([\w.]+))?`", without_code(TEXTS[page])):
        found = [base / path for base in (SOURCE, ROOT) if (base / path).exists()]
        if not found and path.count("/") <= 1 and path.endswith("/"):
            continue  # a folder of the reader's, such as photos/
        assert found, f"{page.name}: there is no {path}"
        if name:
            assert name in names_in(found[0]), f"{page.name}: there is no {name} in {path}"


def commands_in(text: str) -> list[list[str]]:
    """The commands of a page's indented lines and of its code in backticks, without comments."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    said = [line.strip() for line in lines if re.match(r"\s{4,}labelprop ", line)]
    said += re.findall(r"`(labelprop [^`]+)`", re.sub(r"\n", " ", text))
    return [shlex.split(command, comments=True) for command in said]


@every_page
def test_commands_have_these_flags(page: Path) -> None:
    for _, verb, *arguments in commands_in(TEXTS[page]):
        if verb.startswith("-") or verb.isupper():
            continue
        assert verb in COMMANDS, f"{page.name}: there is no `labelprop {verb}`"
        known = {flag for one in COMMANDS[verb].params for flag in (*one.opts, *one.secondary_opts)} | {"--help"}
        for flag in arguments:
            assert not flag.startswith("--") or flag.partition("=")[0] in known, f"{page.name}: {verb} {flag}"


def test_the_readme_is_short_and_every_page_is_linked_from_it() -> None:
    readme = TEXTS[ROOT / "README.md"]
    assert len(readme.splitlines()) <= 160
    assert all(f"(docs/{page.name})" in readme or f"(docs/{page.name}#" in readme for page in PAGES[2:])
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for line in readme.splitlines()}


def test_every_room_has_a_paragraph_and_a_place_in_the_picture() -> None:
    text = TEXTS[ROOT / "docs" / "how-it-works.md"]
    picture = (ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8")
    rooms = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(re.findall(r"^\*\*`(\w+)/`\*\*", text, flags=re.MULTILINE))
    assert rooms == set(re.findall(r'class="n">(\w+)<', picture))


@every_page
def test_python_on_the_page_uses_names_that_are_there(page: Path) -> None:
    for code in re.findall(r"^```python\n(.*?)^```", TEXTS[page], flags=re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("labelprop"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "lp":
                assert hasattr(labelprop, node.attr), f"{page.name}: lp.{node.attr}"


def percent(found: dict[str, float], spread: str = "std", sign: str = "") -> str:
    return f"{100 * found['mean']:{sign}.1f} ± {100 * found[spread]:.1f}"


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10"])
def test_numbers_of_training_are_those_of_the_saved_runs(name: str) -> None:
    rows = json.loads((ROOT / "benchmarks" / "results" / "small" / "table.json").read_text())["sets"][name]
    shown = 0
    for line in TEXTS[ROOT / "docs" / "train.md"].splitlines():
        cells = [cell.strip(" `*%") for cell in line.strip("|").split("|")]
        row = rows.get(cells[0], {})
        if len(cells) == 4 and row and cells[1] == percent(row["unlabeled"]):
            shown += 1
            gain = row["gain"]
            assert cells[2] == percent(row["test"])
            assert cells[3] == ("" if gain is None else percent(gain, "standard_error", "+"))
    assert shown == {"fashion_mnist": 8, "cifar10": 4}[name]


def test_numbers_of_propagation_are_those_of_the_saved_runs() -> None:
    saved = {}
    for line in (ROOT / "benchmarks" / "results" / "auto_propagation.md").read_text().splitlines():
        method, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        saved[method] = cells
    columns = [saved["method"].index(name) for name in ("mean", "mnist 1", "fashion_mnist 5")]
    shown = {}
    for line in TEXTS[ROOT / "docs" / "propagate.md"].splitlines():
        said, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        method = said.split("`")[1].replace(" --reweight ", " reweight=") if "`" in said else "labels-only"
        if len(cells) == 3 and re.fullmatch(r"\d+\.\d", cells[0]):
            shown[method] = cells
    assert len(shown) == 11
    for method, cells in shown.items():
        mean, *others = (saved[method][column] for column in columns)
        assert cells == [f"{float(mean):.1f}", *others], method


@pytest.mark.parametrize("name", ["propagator", "method", "source", "backbone"])
def test_the_page_shows_the_examples(name: str) -> None:
    code = (ROOT / "examples" / "extend" / f"{name}.py").read_text(encoding="utf-8")
    assert len(code.splitlines()) <= 30
    assert f"```python\n{code}```" in TEXTS[ROOT / "docs" / "extend.md"]
    modules = re.findall(r"^from (labelprop\S*) import", code, flags=re.MULTILINE)
    assert len(modules) == 1, "an extension imports from one module"


def test_the_page_shows_the_whole_pyproject_of_the_examples() -> None:
    shown = (ROOT / "examples" / "extend" / "pyproject.toml").read_text(encoding="utf-8")
    assert f"```toml\n{shown}```" in TEXTS[ROOT / "docs" / "extend.md"]


def test_callbacks_are_shown_in_few_lines() -> None:
    [code] = re.findall(r"^```python\n([^`]*callbacks=[^`]*)^```", TEXTS[ROOT / "docs" / "train.md"], re.MULTILINE)
    assert len(code.splitlines()) <= 15
