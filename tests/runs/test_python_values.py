"""What Python can pass and no command line can: values of the wrong kind, runs as paths, folders that are gone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import labelprop as lp
from labelprop.core.errors import RequestError, UnknownNameError

X = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
Y = [3, 7, *[-1] * 18]
QUICK: dict[str, Any] = {"recipe": "supervised", "steps": 2, "baselines": False, "quiet": True}


class Watch:
    def on_end(self, run: Any) -> None: ...


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lp.Run:
    return lp.train(X, Y, out=tmp_path_factory.mktemp("runs") / "run", **QUICK)


@pytest.mark.parametrize(
    ("verb", "options", "named"),
    [
        ("propagate", {"method": None}, "method is missing"),
        ("propagate", {"method": lp.Diffusion()}, r"method=Diffusion\(\)"),
        ("propagate", {"method": lp.Diffusion}, "method=<class"),
        ("propagate", {"parameters": 5}, "parameters=5"),
        ("propagate", {"cache": 5}, "cache=5"),
        ("propagate", {"callbacks": Watch}, "callbacks=Watch is a class"),
        ("propagate", {"reporter": 5}, "reporter=5"),
        ("propagate", {"id_col": 3}, "id_col=3"),
        ("train", {"recipe": None}, "recipe is missing"),
        ("train", {"recipe": 5}, "recipe=5"),
        ("train", {"recipe": lp.Diffusion()}, "recipe=Diffusion"),
        ("train", {"settings": 5}, "settings=5"),
        ("train", {"settings": {"lr": "0.01"}}, "lr='0.01' must be a number"),
        ("train", {"settings": {"batch_size": "x"}}, "batch_size='x' must be a number"),
        ("train", {"settings": {"batch_size": True}}, "batch_size=True must be a number"),
        ("train", {"settings": {"l2_feature": "no"}}, "l2_feature='no' must be True or False"),
        ("train", {"recipe": "dlp", "settings": {"batch_size": 0}}, "^batch_size=0"),
        ("train", {"steps": True}, "steps=True"),
        ("train", {"budget": [1]}, "budget="),
        ("train", {"device": None}, "device is missing"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_name(
    verb: str, options: dict[str, Any], named: str, tmp_path: Path
) -> None:
    asked = QUICK if verb == "train" else {"quiet": True}
    with pytest.raises(RequestError, match=named):
        getattr(lp, verb)(X, Y, **{"out": tmp_path / "run"} | asked | options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("path", [None, X, 5])
def test_only_a_path_is_loaded(path: Any) -> None:
    with pytest.raises(RequestError, match=r"path=.* must be a path"):
        lp.load(path)


@pytest.mark.parametrize("backbone", [torch.nn.Linear(6, 4), lambda batch: batch[:, 9, 9]])
def test_a_backbone_that_fails_is_named(backbone: Any) -> None:
    with pytest.raises(RequestError, match=r"backbone=.* fails on a batch of shape \(20, 7\)") as raised:
        lp.embed(X, backbone=backbone, quiet=True)
    assert isinstance(raised.value.__cause__, RuntimeError | IndexError)


def test_options_are_suggested_whatever_their_case() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'quiet'") as raised:
        lp.train(X, Y, out="run", quite=True)
    assert "began" not in str(raised.value)
    with pytest.raises(UnknownNameError, match="did you mean 'dlp'"):
        lp.train(X, Y, out="run", recipe="DLP", quiet=True)


def test_what_belongs_inside_an_option_is_told_its_place() -> None:
    with pytest.raises(RequestError, match=r"pass parameters=\{'n_neighbors': \.\.\.\}"):
        lp.propagate(X, Y, out="run", n_neighbors=5)
    with pytest.raises(RequestError, match=r"pass settings=\{'lr': \.\.\.\}"):
        lp.train(X, Y, out="run", lr=0.1)


@pytest.mark.parametrize("verb", [lp.train, lp.propagate, lp.embed, lp.predict, lp.doctor])
def test_help_in_python_names_no_flag(verb: Any) -> None:
    assert not re.search(r"--[a-z]|; repeatable|Repeat for", verb.__doc__)


def test_a_run_stands_for_its_folder(run: lp.Run, tmp_path: Path) -> None:
    vectors = run.embed(X, quiet=True)
    np.testing.assert_array_equal(lp.embed(X, backbone=run, quiet=True), vectors)
    assert lp.predict(run, X, quiet=True) == run.predict(X, quiet=True)
    assert lp.select(run, X, quiet=True) == run.select(X, quiet=True)
    assert lp.load(run).path == run.path
    spread = lp.propagate(X, Y, out=tmp_path / "spread", backbone=run, baselines=False, quiet=True)
    assert spread.write_report(against=run).is_file()
    again = lp.train(X, Y, out=tmp_path / "again", init=run, **QUICK)
    assert again.metrics["n"] == 20


def test_classes_are_of_the_type_that_labels_came_in(run: lp.Run) -> None:
    assert run.model.classes == (3, 7)
    assert set(run.predict(X, quiet=True)["label"].to_pylist()) <= set(run.model.classes)


@pytest.mark.parametrize("look", [lambda run: run.metrics, lambda run: run.labels, lambda run: run.predict(X)])
def test_a_run_whose_folder_is_gone_says_so(run: lp.Run, tmp_path: Path, look: Callable[[lp.Run], Any]) -> None:
    shutil.copytree(run.path, tmp_path / "copy")
    copy = lp.load(tmp_path / "copy")
    shutil.rmtree(copy.path)
    with pytest.raises(RequestError, match="there is no run folder"):
        look(copy)
    assert "there is no run folder" in copy._repr_html_()
