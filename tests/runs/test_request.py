"""Requests: what makes the flags and the Python signature, what is written down and what a resumed run reads back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.flags import HELP_GROUPS
from labelprop.cli.main import app
from labelprop.core.errors import RequestError, UnknownNameError
from labelprop.core.files import PYTHON_OBJECT, write_json
from labelprop.core.progress import Reporter
from labelprop.runs import calls, requests
from labelprop.runs.calls import signature
from labelprop.runs.request import Request
from labelprop.runs.requests import PredictRequest, PropagateRequest, TrainRequest

KINDS = [
    kind
    for name, kind in vars(requests).items()
    if isinstance(kind, type) and issubclass(kind, Request) and name[0] != "_"
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_question_has_help_and_a_group(kind: type[Request]) -> None:
    for name, one in kind.options().items():
        option = one.metadata["option"]
        assert option.help.endswith("."), name
        assert option.group in HELP_GROUPS


@pytest.mark.parametrize(("verb", "kind"), [("train", TrainRequest), ("propagate", PropagateRequest)])
def test_flags_and_python_names_are_the_questions(verb: str, kind: type[Request]) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"], terminal_width=200).output
    python = set(inspect.signature(getattr(labelprop, verb)).parameters) - {"quiet", "reporter", "command"}
    assert python == set(kind.options())
    for name, one in kind.options().items():
        option = one.metadata["option"]
        spelled = option.flag.split("/")[0] or f"--{name.replace('_', '-')}"
        if name not in kind.python_only and name != "data":
            assert spelled in shown
    for group in {one.metadata["option"].group for one in kind.options().values()}:
        assert f"{HELP_GROUPS[group]}:" in shown


def test_the_contract_of_train() -> None:
    parameters = signature(TrainRequest).parameters
    first = [name for name, one in parameters.items() if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert first == ["data", "labels"]
    defaults = {"labels": None, "recipe": "dlp", "model": "auto", "test": None, "truth": None, "seed": 0}
    defaults |= {"device": "auto", "budget": None, "resume": False}
    assert {name: parameters[name].default for name in defaults} == defaults
    assert parameters["out"].default is inspect.Parameter.empty
    assert inspect.signature(labelprop.train).return_annotation == "Run"


def test_names_that_are_wrong_missing_or_given_twice_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'labels'"):
        labelprop.train("x", lables="y", out="z")
    with pytest.raises(RequestError, match="out is missing"):
        labelprop.train("x", "y")
    with pytest.raises(RequestError, match="data is given twice"):
        labelprop.train("x", data="y", out="z")
    with pytest.raises(RequestError, match="takes data, labels without a name"):
        labelprop.train("x", "y", "dlp", out="z")
    with pytest.raises(RequestError, match="exclude each other"):
        labelprop.train("x", out="z", resume=True, overwrite=True)
    with pytest.raises(UnknownNameError, match="unknown option 'began'"):
        labelprop.train("x", out="z", began=0.0)
    with pytest.raises(UnknownNameError):
        PredictRequest.of({"run": "r", "data": "d", "labels": "l"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"out": None}, "out is missing"),
        ({"out": 3}, "out=3 must be a path"),
        ({"epochs": "many"}, "epochs='many' must be a whole number"),
        ({"epochs": 2.5}, "epochs=2.5 must be a whole number"),
        ({"resume": "no"}, "resume='no' must be True or False"),
        ({"seed": -1}, "seed=-1 must be at least 0"),
        ({"data": None}, "data is missing"),
        ({"epochs": 3, "steps": 3}, "^epochs= and steps= exclude each other"),
        ({"callbacks": [lambda: None]}, "has no method that would be called here"),
    ],
)
def test_values_from_python_are_checked_by_the_names_that_were_used(
    options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=said) as raised:
        labelprop.train(**{"data": np.eye(4), "labels": [0, 1, -1, -1], "out": tmp_path / "run"} | options)
    assert "--" not in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_numbers_of_numpy_are_taken() -> None:
    request = TrainRequest(data="x", out="run", epochs=np.int64(3), resume=np.bool_(False), seed=np.uint8(7))
    assert (request.epochs, request.resume, request.seed) == (3, False, 7)
    assert [type(value) for value in (request.epochs, request.resume, request.seed)] == [int, bool, int]


def test_it_is_written_as_json_with_whole_paths_and_objects_by_their_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "dlp").touch()  # a file with the name of a recipe
    request = TrainRequest(data="photos", labels=np.zeros(3), out=Path("run"), settings={"lr": 0.1}, budget="1h")
    kept = json.loads(json.dumps(request.to_json()))
    assert kept["data"] == str(tmp_path / "photos")
    assert kept["out"] == str(tmp_path / "run")
    assert kept["labels"] == {PYTHON_OBJECT: "numpy.ndarray"}
    assert kept["settings"] == {"lr": 0.1}
    assert (kept["budget"], kept["recipe"]) == ("1h", "dlp")
    assert TrainRequest(data={"a": 1}, out="run").to_json()["data"] == {PYTHON_OBJECT: "builtins.dict"}
    several = TrainRequest(data="photos", labels=["photos", "more.csv"], out="run").to_json()["labels"]
    assert several == [str(tmp_path / "photos"), "more.csv"]


def test_settings_that_are_infinite_or_of_numpy_are_kept_and_read_back(tmp_path: Path) -> None:
    settings = {"margin": np.inf, "tau": np.float32(0.5), "n": np.int64(3)}
    request = TrainRequest(data="photos", out="run", settings=settings, epochs=np.int64(2))
    write_json(tmp_path / "run.json", request.to_json())
    kept = json.loads((tmp_path / "run.json").read_text())
    again = TrainRequest(data="photos", out="run").resumed(kept, given=["data", "out"])
    assert again.settings == {"margin": np.inf, "tau": 0.5, "n": 3}
    assert again.epochs == 2


def resumed(out: Path, **given: Any) -> TrainRequest:
    return TrainRequest.of({"data": "photos", "out": out, "resume": True, **given})


def test_a_resumed_run_reads_back_what_is_not_said_again(tmp_path: Path) -> None:
    first = TrainRequest(data="photos", out=tmp_path, seed=7, epochs=3, recipe="llp", settings={"lr": 0.1})
    (tmp_path / "run.json").write_text(json.dumps({"request": first.to_json()}))
    again = resumed(tmp_path)
    assert (again.seed, again.epochs, again.recipe, again.settings) == (7, 3, "llp", {"lr": 0.1})
    assert again.resume
    assert not again.overwrite
    assert resumed(tmp_path, seed=8).seed == 8
    other = resumed(tmp_path, recipe="dlp")
    assert (other.recipe, other.settings) == ("dlp", {}), "settings belong to their recipe"
    longer = resumed(tmp_path, budget="1h")
    assert (longer.budget, longer.epochs) == ("1h", None), "a length takes the place of another"


def test_what_no_file_can_hold_must_be_given_again(tmp_path: Path) -> None:
    first = TrainRequest(data="photos", out=tmp_path, labels=np.zeros(3))
    (tmp_path / "run.json").write_text(json.dumps({"request": first.to_json()}))
    with pytest.raises(RequestError, match=r"labels was an object of Python \(numpy.ndarray\)"):
        resumed(tmp_path)
    assert resumed(tmp_path, labels="labels.csv").labels == "labels.csv"


def test_a_run_without_a_kept_request_is_resumed_as_it_is_asked(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert resumed(tmp_path, seed=3).seed == 3


@pytest.mark.parametrize(("kind", "heard"), [(PropagateRequest, True), (TrainRequest, True), (PredictRequest, False)])
def test_the_number_of_threads_is_said_where_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, kind: type[Request], heard: bool
) -> None:
    said: list[str] = []

    @contextmanager
    def fewer(reporter: Reporter, kept: int | None) -> Iterator[None]:
        reporter.say("threads: 1 of 2")
        yield

    monkeypatch.setattr(calls, "fitting_threads", fewer)
    reporter = SimpleNamespace(say=said.append, advance=lambda *_: None)
    run = {"run": "r"} if kind is PredictRequest else {"out": "r"}
    calls.call(lambda request: None, kind, {"data": "x", **run, "reporter": reporter, "command": "c"}, lambda _: None)
    assert said == ["threads: 1 of 2"] * heard


def test_a_continued_run_keeps_its_number_of_threads(tmp_path) -> None:
    write_json(tmp_path / "run.json", {"threads": 3})
    assert TrainRequest(data="x.npy", out=tmp_path, resume=True).kept_threads == 3
    assert TrainRequest(data="x.npy", out=tmp_path, overwrite=True).kept_threads is None
