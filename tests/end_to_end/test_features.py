"""A run knows the names of the columns of numbers that it was trained on; arrays have none and go by position."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import labelprop
from labelprop.core.errors import RequestError

NAMES = ["a", "b", "c", "d"]
OPTIONS: dict[str, Any] = {"recipe": "supervised", "steps": 40, "baselines": False, "report": False, "quiet": True}


def as_file(frame: pd.DataFrame) -> str:
    path = f"{'-'.join(frame.columns)}.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Columns of very different size, by all of which two classes differ."""
    monkeypatch.chdir(tmp_path)
    truth = np.arange(24) % 2
    X = np.random.default_rng(0).normal(size=(24, 4)) * 0.1 + truth[:, None] * [4, -3, 2, -1]
    return pd.DataFrame(X, columns=NAMES).assign(label=truth)


BOTH = pytest.mark.parametrize("form", [pd.DataFrame.copy, as_file], ids=["frame", "csv"])


@BOTH
def test_new_data_go_by_the_names_of_columns(
    known: pd.DataFrame, form: Callable[[pd.DataFrame], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data, columns = form(known), {"embedding_cols": "a:d"} if form is as_file else {}
    shuffled = known[["d", "label", "b", "c", "a"]].assign(more="x")
    run = labelprop.train(data, **columns, out="run", test=form(shuffled), **OPTIONS)
    assert json.loads(Path("run/run.json").read_text())["features"] == NAMES
    assert run.metrics["test"]["accuracy"] == 1.0

    wanted = run.predict(known[NAMES].to_numpy())
    assert list(map(int, wanted.column("label").to_pylist())) == known["label"].tolist(), "arrays go by position"
    capsys.readouterr()
    assert run.predict(form(shuffled)).equals(wanted)
    assert "'more' left out" in "".join(capsys.readouterr())
    assert labelprop.load("run").select(form(shuffled), per_class=2).equals(run.select(known, per_class=2))
    vectors = labelprop.embed(known[NAMES].to_numpy(), backbone="run")
    assert np.array_equal(labelprop.embed(form(shuffled), backbone="run"), vectors)
    with pytest.raises(RequestError, match=r"4 columns by name, and these are missing: 'b', 'd'"):
        run.predict(form(known[NAMES].rename(columns={"b": "x", "d": "y2"})))
    with pytest.raises(RequestError, match=r"these are missing: 'a'"):
        labelprop.train(form(known), **columns, out="other", test=form(known.drop(columns="a")), **OPTIONS)


@BOTH
@pytest.mark.parametrize(
    ("verb", "asked"),
    [("train", {"backbone": "run"}), ("train", {"init": "run"}), ("propagate", {"backbone": "run"})],
)
def test_what_is_made_with_a_run_goes_by_the_names_of_its_columns(
    known: pd.DataFrame, form: Callable[[pd.DataFrame], Any], verb: str, asked: dict[str, str]
) -> None:
    columns = {"embedding_cols": "a:d"} if form is as_file else {}
    known["label"] = known["label"].where(np.arange(24) < 8, -1)
    labelprop.train(form(known), **columns, out="run", **OPTIONS)
    options = (OPTIONS if verb == "train" else {"baselines": False, "quiet": True}) | columns | asked
    renamed = known.rename(columns={"b": "x", "d": "y2"})
    with pytest.raises(RequestError, match=r"4 columns by name, and these are missing: 'b', 'd'"):
        getattr(labelprop, verb)(form(renamed), out="refused", **options)
    assert not Path("refused").exists()
    same = getattr(labelprop, verb)(form(known), out="same", **options)
    other = getattr(labelprop, verb)(form(known[["d", "label", "b", "c", "a"]]), out="other", **options)
    assert other.labels.equals(same.labels)


@pytest.mark.parametrize("asked", ["backbone", "init"])
def test_a_run_on_an_array_has_the_names_of_the_run_that_it_is_made_with(known: pd.DataFrame, asked: str) -> None:
    labelprop.train(known, out="run", **OPTIONS)
    labels = np.where(np.arange(24) < 8, known["label"], -1)
    run = labelprop.train(known[NAMES].to_numpy(), labels, out="other", **OPTIONS, **{asked: "run"})
    wanted = run.predict(known[NAMES].to_numpy(), quiet=True)
    assert run.predict(known[["d", "b", "c", "a"]], quiet=True).equals(wanted)
