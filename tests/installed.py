"""Packages of others, as an installation leaves them, and commands that see them."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

COMMAND = "from labelprop.cli.main import main; main()"


def install(package: Path, target: Path) -> None:
    """What pip would leave of a package of single modules: these, its name and its entry points."""
    for module in package.glob("*.py"):
        (target / module.name).write_bytes(module.read_bytes())
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    described = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    described.mkdir()
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (described / "METADATA").write_text(f"Metadata-Version: 2.1\n{named}")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (described / "entry_points.txt").write_text("\n".join(lines) + "\n")


def run_beside(folder: Path, *arguments: str, code: str = COMMAND) -> subprocess.CompletedProcess[str]:
    """Runs `labelprop` with these arguments, or other code, where the packages in `folder` are installed."""
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
