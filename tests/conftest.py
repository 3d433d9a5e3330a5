"""Shared by all tests: one torch thread a process, a cache of their own, and small data sets."""

from __future__ import annotations

import os
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # also for the commands that tests run; before torch is imported

import pytest
import torch

from patterns import write_patterns

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew instead of comparing")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELPROP_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def patterns(tmp_path: Path) -> tuple[Path, Path]:
    """(folder of images, its truth)."""
    folder = tmp_path / "patterns"
    return folder, write_patterns(folder)
