"""Writes the tables of the benches `small`, `recipes` and `order` from their cells in results/, and docs/recipes.md.

    python benchmarks/tables.py            writes table.md and table.json beside the cells, and the page's tables
    python benchmarks/tables.py --check    writes nothing; exit status 1 where a file says something else

The text around the page's tables is written by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from common import RESULTS, ROOT
from labelprop.bench import order, recipes, small
from labelprop.bench.cells import CellFile
from labelprop.bench.equal_passes import BenchSet, tables

PAGE = ROOT / "docs" / "recipes.md"
BEGIN = {
    "recipes": "<!-- written by benchmarks/tables.py -->",
    "order": "<!-- order, written by benchmarks/tables.py -->",
}
END = "<!-- end -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    stale = []
    for path, text in wanted():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{'differs' if check else 'written'}: {path.relative_to(ROOT)}")
    return int(check and bool(stale))


def wanted() -> Iterator[tuple[Path, str]]:
    """Every file as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    for bench, parts in (("small", small.BENCH_SETS), ("recipes", recipes.parts()), ("order", order.BENCH_SETS)):
        made = dict(files(RESULTS / bench, parts))
        yield from made.items()
        if bench in BEGIN:
            page = filled(page, BEGIN[bench], made[RESULTS / bench / "table.md"])
    yield PAGE, page


def files(folder: Path, parts: Sequence[BenchSet]) -> Iterator[tuple[Path, str]]:
    """table.json and table.md of a folder of cells, as they should be."""
    cells = CellFile(folder / "cells.jsonl").rows
    summary, text = tables(parts, cells)
    yield folder / "table.json", json.dumps({"sets": summary}, indent=1) + "\n"
    yield folder / "table.md", f"{text}\n{provenance(folder)}"


def provenance(folder: Path) -> str:
    """A line for each stretch of a bench: what was run, and where."""
    lines = []
    for run in json.loads((folder / "provenance.json").read_text(encoding="utf-8")):
        machine = run["machine"]
        lines.append(
            f"- `{run['command']}`, commit {run['commit'][:7]}, {machine['processor']}, {machine['torch_threads']} "
            f"thread, torch {run['versions']['torch']}. {run['remark']}\n"
        )
    return "".join(lines)


def filled(page: str, begin: str, text: str) -> str:
    """The page with this text between the mark and the next end."""
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n\n{text}\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
