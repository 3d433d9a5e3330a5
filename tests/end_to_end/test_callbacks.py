"""Objects of the caller are told of steps, epochs and the end; what they raise interrupts the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labelprop
from labelprop.core.errors import RequestError
from labelprop.core.types import Progress
from labelprop.training.lengths import WARM_UP_STEPS

X = np.concatenate([np.eye(6), np.eye(6) + 0.1, np.eye(6) - 0.1]).astype(np.float32)
Y = [0, 0, 0, 1, 1, 1] + [-1] * 12
OPTIONS: dict[str, Any] = {"recipe": "supervised", "steps": 4, "baselines": False, "quiet": True}


class Watches:
    def __init__(self, stop_after: int | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self.steps: list[Progress] = []
        self.runs: list[labelprop.Run] = []
        self.stop_after = stop_after

    def on_epoch(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if len(self.records) == self.stop_after:
            raise ZeroDivisionError("mine")

    def on_step(self, progress: Progress) -> None:
        self.steps.append(progress)

    def on_end(self, run: labelprop.Run) -> None:
        self.runs.append(run)


class OnlySteps:
    n = 0

    def on_step(self, progress: Progress) -> None:
        self.n += 1


def history(run: labelprop.Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]


def test_steps_epochs_and_the_end_are_told_and_change_nothing(tmp_path: Path) -> None:
    watches, steps = Watches(), OnlySteps()
    run = labelprop.train(X, Y, out=tmp_path / "run", callbacks=[watches, steps], **OPTIONS)
    assert watches.records == history(run)
    assert [progress.step for progress in watches.steps] == list(range(1, steps.n + 1))
    assert watches.steps[-1].step == watches.steps[-1].total_steps == 4
    assert [found.path for found in watches.runs] == [run.path]
    plain = labelprop.train(X, Y, out=tmp_path / "plain", **OPTIONS)
    assert plain.labels == run.labels
    assert "callbacks" not in json.loads((run.path / "run.json").read_text())["request"]


def test_an_error_in_one_keeps_its_type_and_the_run_goes_on_from_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unbroken = labelprop.train(X, Y, out=tmp_path / "unbroken", **OPTIONS)
    with pytest.raises(ZeroDivisionError, match="mine"):
        labelprop.train(X, Y, out=tmp_path / "run", callbacks=Watches(stop_after=2), **OPTIONS)
    later = Watches()
    resumed = labelprop.train(X, Y, out=tmp_path / "run", resume=True, callbacks=later)
    assert "supervised: resumed at epoch 2 of 4" in capsys.readouterr().err
    assert [record["epoch"] for record in later.records] == [3, 4], "the two before were saved"
    assert resumed.labels == unbroken.labels


class StopAtOnce:
    def on_step(self, progress: Progress) -> None:
        assert progress.total_steps > WARM_UP_STEPS, "the rehearsal that a budget is measured by is not told"
        raise KeyboardInterrupt


def test_an_interruption_in_one_is_an_interruption(tmp_path: Path) -> None:
    options = OPTIONS | {"steps": None, "budget": "60s"}
    with pytest.raises(KeyboardInterrupt):
        labelprop.train(X, Y, out=tmp_path / "run", callbacks=StopAtOnce(), **options)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "running"


def test_a_propagation_tells_its_end_and_refuses_what_it_would_never_tell(tmp_path: Path) -> None:
    watches = Watches()
    run = labelprop.propagate(X, Y, out=tmp_path / "run", baselines=False, quiet=True, callbacks=watches)
    assert [found.path for found in watches.runs] == [run.path]
    with pytest.raises(RequestError, match="it needs on_end"):
        labelprop.propagate(X, Y, out=tmp_path / "other", quiet=True, callbacks=OnlySteps())
    with pytest.raises(RequestError, match="callbacks are objects of this process"):
        labelprop.train(X, Y, out=tmp_path / "other", devices=2, callbacks=OnlySteps(), device="cpu", quiet=True)
    assert not (tmp_path / "other").exists()
