"""`.ci/chromium` installs what the page is tested in where it may, and never fails."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "chromium"
TOOLS = ("bash", "env", "timeout")


@pytest.fixture
def machine(tmp_path: Path):
    """Runs the script on a machine that has these commands, each a line of shell; returns what apt-get was asked."""

    def run(**commands: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        asked = tmp_path / "asked"
        for name in TOOLS:
            (tmp_path / name).symlink_to(shutil.which(name) or name)
        for name, line in commands.items():
            command = tmp_path / name.replace("_", "-")
            command.write_text(
                f'#!{shutil.which("bash")}\n[ "$0" = "${{0%apt-get}}" ] || echo "$*" >> {asked}\n{line}\n'
            )
            command.chmod(0o755)
        done = subprocess.run(
            [SCRIPT], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False
        )
        return done, asked.read_text().splitlines() if asked.exists() else []

    return run


def test_a_chromium_that_is_there_is_left_alone(machine) -> None:
    done, asked = machine(chromium="exit 0", id="echo 0", apt_get="exit 0")
    assert (done.returncode, asked, done.stdout) == (0, [], "")


def test_root_installs_it(machine) -> None:
    done, asked = machine(id="echo 0", apt_get="exit 0")
    assert done.returncode == 0
    assert [line.split("Timeout=20 ")[1].split()[0] for line in asked] == ["update", "install"]
    assert "chromium" in asked[1].split()


def test_so_does_who_may_use_sudo_without_a_password(machine) -> None:
    done, asked = machine(id="echo 1000", sudo='shift; exec "$@"', apt_get="exit 0", true="exit 0")
    assert (done.returncode, len(asked)) == (0, 2)


@pytest.mark.parametrize(
    "commands",
    [
        {"id": "echo 1000", "sudo": "exit 1", "apt_get": "exit 0"},
        {"id": "echo 1000", "apt_get": "exit 0"},
        {"id": "echo 0"},
        {"id": "echo 0", "apt_get": "exit 100"},
    ],
)
def test_elsewhere_it_says_so_and_the_tests_go_on(machine, commands) -> None:
    done, asked = machine(**commands)
    assert done.returncode == 0
    assert "not tested in a browser" in done.stdout
    assert not any(line.endswith("chromium fonts-liberation") for line in asked)
