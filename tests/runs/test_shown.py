"""What a notebook shows of a run and of `AutoPropagation`: numbers, first rows, a link; nothing unescaped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn import set_config
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import labelprop

X = (4 * np.eye(3)[np.arange(36) % 2] + np.random.default_rng(0).normal(size=(36, 3))).astype(np.float32)
ODD = "<script>alert(1)</script>"


@pytest.fixture
def run(tmp_path: Path) -> labelprop.Run:
    names = [ODD, "b & c"]
    labels = [names[i % 2] if i < 8 else "" for i in range(36)]
    truth = [names[i % 2] for i in range(36)]
    return labelprop.propagate(X, labels, truth=truth, out=tmp_path / 'r"un', baselines=False, quiet=True)


def test_a_run_shows_its_numbers_its_first_rows_and_its_page(run: labelprop.Run) -> None:
    shown = run._repr_html_()
    assert f"{run.metrics['unlabeled']['accuracy']:.2%}" in shown
    assert ODD not in shown
    assert html.escape(ODD) in shown
    assert shown.count("<tr>") == 6
    assert "31 more rows" in shown
    assert 'href="file:///' in shown
    assert 'r"un' not in shown
    assert len(re.findall("<div", shown)) == len(re.findall("</div>", shown))


def test_its_verdict_comes_first(run: labelprop.Run) -> None:
    assert run.metrics["verdict"] in ("good", "usable", "weak")
    first = re.findall(r"<div[^>]*>([^<]+)</div>", run._repr_html_())[1]
    assert first.lower().startswith(run.metrics["verdict"])


@pytest.mark.parametrize("verb", [labelprop.propagate, partial(labelprop.train, steps=2)])
def test_without_a_page_a_run_shows_its_folder_and_has_all_else(
    verb: Callable[..., labelprop.Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["ab"[i % 2] if i < 8 else "" for i in range(36)]
    options = {"baselines": False, "seed": 1}
    with_page = verb(X, labels, out=tmp_path / "page", **options)
    without = verb(X, labels, out=tmp_path / "none", report=False, **options)
    assert with_page.report.exists()
    assert not without.report.exists()
    assert not (without.path / "evidence.parquet").exists()
    assert without.labels.equals(with_page.labels)
    assert f'href="{without.path.as_uri()}"' in without._repr_html_()
    assert f"run: {without.path}" in capsys.readouterr().err
    assert without.write_report() == without.report, "it can be written later, without map and pictures"
    assert f'href="{without.report.as_uri()}"' in without._repr_html_()


def test_auto_shows_what_it_chose_above_the_diagram_of_scikit_learn() -> None:
    own = labelprop.AutoPropagation(candidates=["weighted-knn", "labels-only"])
    plain = own._repr_mimebundle_()["text/html"]
    assert "sk-container" in plain
    assert "chose" not in plain
    own.fit(X, np.where(np.arange(36) < 32, np.arange(36) % 2, -1))
    shown = own._repr_mimebundle_()["text/html"]
    assert shown.index("AutoPropagation chose") < shown.index("sk-container")
    assert html.escape(own.reason_) in shown
    for name, n_neighbors, right, n in own.trials_:
        assert re.search(rf">{name}</td><td[^>]*>{n_neighbors or ''}</td><td[^>]*>{right} of {n}<", shown)
    assert own.trials_[0][0] == own.method_
    assert "sk-container" in make_pipeline(StandardScaler(), own)._repr_html_()


def test_auto_without_hidden_seeds_shows_no_trials() -> None:
    own = labelprop.AutoPropagation(candidates=["weighted-knn"]).fit(X, [0, 1, *[-1] * 34])
    assert own.trials_ == []
    assert "tried" not in own._repr_html_().split("sk-container")[0]


def test_where_diagrams_are_turned_off_there_is_no_html() -> None:
    own = labelprop.AutoPropagation(candidates=["weighted-knn"]).fit(X, [0, 1, *[-1] * 34])
    set_config(display="text")
    try:
        assert "text/html" not in own._repr_mimebundle_()
        assert not hasattr(own, "_repr_html_")
    finally:
        set_config(display="diagram")
