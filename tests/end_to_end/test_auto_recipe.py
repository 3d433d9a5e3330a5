"""`--recipe auto`: a race on hidden labels decides, says why, and can be interrupted."""

from __future__ import annotations

import json
from itertools import count

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import NonFiniteLossError, RequestError
from labelprop.core.run_folder import RunFolder
from labelprop.methods import phases
from labelprop.runs import race as race_module
from labelprop.runs import train as train_module
from labelprop.training import loop
from labelprop.training.halving import CANDIDATES
from labelprop.training.lengths import Plan

USAGE = {"seconds": 5_000.0, "peak_memory_bytes": 1}


class Said:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def advance(self, stage: str, done: float, total: float) -> None: ...


EMBEDDING = CANDIDATES["embedding"]


@pytest.fixture(scope="module", autouse=True)
def short_races():
    """A race is of two dozen trainings, most of their steps those that a first phase has at least."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phases, "MIN_STEPS", 10)
        patch.setitem(CANDIDATES, "embedding", ("propagated", "dlp", "pseudo-label", "supervised"))
        yield


@pytest.fixture(scope="module")
def data():
    classes = np.arange(120) % 3
    vectors = 2 * np.eye(6)[classes] + np.random.default_rng(0).normal(size=(120, 6))
    return vectors.astype(np.float32), np.where(np.arange(120) < 15, classes, -1)


@pytest.fixture(scope="module")
def raced(data, tmp_path_factory):
    said = Said()
    run = labelprop.train(*data, out=tmp_path_factory.mktemp("auto") / "run", recipe="auto", epochs=8, reporter=said)
    return run, said.lines


def test_the_winner_is_trained_and_the_reason_said(raced) -> None:
    run, lines = raced
    record = json.loads((run.path / "race.json").read_text())
    assert RunFolder(run.path).read_json("run.json")["recipe"] == record["recipe"] == run.metrics["recipe"]
    assert f"recipe: {record['reason']}" in lines
    assert "of 15 labels, each hidden once" in record["reason"]
    last = [heat for heat in record["heats"] if heat["round"] == 1]
    found = {name: "".join(h["found"] for h in last if h["recipe"] == name) for name in {h["recipe"] for h in last}}
    best = max(found.values(), key=lambda marks: marks.count("1"))
    chosen = found[record["recipe"]]
    differ = sum(a != b for a, b in zip(best, chosen, strict=True))
    assert best.count("1") - chosen.count("1") <= max(differ, 1) ** 0.5, "at most a standard error behind"
    page = (run.path / "report.html").read_text()
    assert "How the recipe was chosen" in page
    assert all(name in page for name in CANDIDATES["embedding"])
    assert sum(line.startswith("augmentation: ") for line in lines) == 1, "what is decided alike is said once"


def interrupt(data, out, monkeypatch: pytest.MonkeyPatch, at) -> None:
    """A run that is interrupted when a training begins of which `at` says so."""
    trained = loop.run

    def until_interrupted(job):
        if at(job):
            raise KeyboardInterrupt
        return trained(job)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "run", until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            labelprop.train(*data, out=out, recipe="auto", epochs=8)


def test_an_interrupted_race_goes_on_and_ends_alike(raced, data, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = raced
    begun = count(1)
    interrupt(data, tmp_path / "run", monkeypatch, lambda job: next(begun) == 6)
    assert len(json.loads((tmp_path / "run" / "race.json").read_text())["heats"]) == 5
    for changed, said in (
        ({"seed": 1}, "seed was 0 and is 1"),
        ({"epochs": 9}, "epochs was 8 and is 9"),
        ({"model": "mlp(dropout=0)"}, "model options was"),
    ):
        with pytest.raises(RequestError, match=f"this is another run: {said}"):
            labelprop.train(*data, out=tmp_path / "run", recipe="auto", resume=True, **{"epochs": 8} | changed)
    resumed = labelprop.train(*data, out=tmp_path / "run", recipe="auto", epochs=8, resume=True)
    assert (tmp_path / "run" / "race.json").read_text() == (whole.path / "race.json").read_text()
    assert resumed.labels.equals(whole.labels)


def test_a_budget_is_divided_once_and_what_a_kill_left_counts(
    data, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def plan(budget, jobs, *, trials=(), least=0):
        asked.append((len(jobs), budget.spent, len(trials)))
        return Plan(least or 16, places=tuple(range(len(jobs))))

    monkeypatch.setattr(phases, "MIN_STEPS", 40)  # for dlp to win
    monkeypatch.setitem(CANDIDATES, "embedding", ("dlp", "supervised"))
    monkeypatch.setattr(race_module, "plan_within", plan)
    monkeypatch.setattr(train_module, "plan_within", plan)
    options = {"out": tmp_path / "run", "recipe": "auto", "budget": "10min"}
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run", lambda job: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            labelprop.train(*data, **options)
    kept = json.loads((tmp_path / "run" / "race.json").read_text())
    assert kept["heats"] == []
    assert set(kept["lengths"].values()) == {16}
    (tmp_path / "run" / "race.json").write_text(json.dumps(kept | {"seconds": 1_000, "stages": {"train": USAGE}}))
    said = Said()
    run = labelprop.train(*data, **options, resume=True, reporter=said)
    (race, trials), (winner, after) = (asked[0][0], asked[0][2]), asked[1][:2]
    assert (race, trials, winner) == (2, 6, 2), "of the candidates once, then of the winner and its baseline"
    assert len(asked) == 2
    assert 1_000 < after < 1_600
    assert run.metrics["recipe"] == "dlp", "else it has no baseline"
    assert run.metrics["seconds"] > USAGE["seconds"]
    assert any("training takes 4 steps all the same, as many as dlp was tried for" in line for line in said.lines)


def test_a_budget_too_short_for_a_race_trains_the_one_it_pays_for(data, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(race_module, "plan_within", lambda *_, **__: Plan(16, places=(2,)))
    monkeypatch.setattr(train_module, "plan_within", lambda *_, **__: Plan(16))
    said = Said()
    options = {"out": tmp_path / "run", "recipe": "auto", "budget": "10min", "baselines": False, "reporter": said}
    run = labelprop.train(*data, **options)
    assert run.metrics["recipe"] == CANDIDATES["embedding"][1], "the labels alone come first among the places"
    assert any("without a race: the budget leaves too few steps" in line for line in said.lines)
    assert json.loads((run.path / "race.json").read_text())["heats"] == []


def test_a_kill_after_the_race_does_not_race_again(raced, data, tmp_path, monkeypatch) -> None:
    whole, _ = raced
    interrupt(data, tmp_path / "run", monkeypatch, lambda job: job.label == whole.metrics["recipe"])
    said = Said()
    resumed = labelprop.train(*data, out=tmp_path / "run", recipe="auto", epochs=8, resume=True, reporter=said)
    assert not any(line.startswith("race") for line in said.lines)
    assert (tmp_path / "run" / "race.json").read_text() == (whole.path / "race.json").read_text()
    assert resumed.labels.equals(whole.labels)


@pytest.fixture(scope="module")
def pictures():
    classes_N = np.arange(60) % 3
    shade_N = np.array([40, 120, 200])[classes_N] + np.random.default_rng(0).integers(-20, 20, 60)
    return np.broadcast_to(shade_N[:, None, None], (60, 8, 8)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["vectors", "columns", "texts", "pictures"])
def test_candidates_by_what_the_network_sees(kind: str, data, pictures, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(CANDIDATES, "embedding", EMBEDDING)
    given = {"vectors": data[0], "pictures": pictures}.get(kind)
    if kind == "columns":
        given = pd.DataFrame(data[0], columns=[f"column {at}" for at in range(6)])
    if kind == "texts":
        given = pd.DataFrame({"text": [f"of {'abc'[at % 3] * 5} and {'xyz'[at % 3] * 4} {at}" for at in range(120)]})
    labels = np.where(np.arange(len(given)) < 15, np.arange(len(given)) % 3, -1)
    monkeypatch.setattr(loop, "run", lambda job: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        labelprop.train(given, labels, out=tmp_path / "run", recipe="auto", epochs=8)
    raced = json.loads((tmp_path / "run" / "race.json").read_text())["lengths"]
    wanted = {"vectors": "embedding", "columns": "numbers", "texts": "embedding", "pictures": "image"}[kind]
    assert tuple(raced) == CANDIDATES[wanted]


def test_one_label_a_class_is_not_raced(data, tmp_path) -> None:
    vectors, y = data
    said = Said()
    y = np.where(np.arange(120) < 3, y, -1)
    options = {"out": tmp_path / "run", "recipe": "auto", "epochs": 2, "baselines": False, "reporter": said}
    run = labelprop.train(vectors, y, **options)
    assert run.metrics["recipe"] == CANDIDATES["embedding"][0]
    assert any("without a race: no class has 3 labels or more" in line for line in said.lines)
    assert not any(line.startswith("race:") for line in said.lines), "what does not happen is not announced"
    options = {"out": tmp_path / "hurried", "recipe": "auto", "budget": "1s", "reporter": said}
    with pytest.raises(RequestError, match="too short"):
        labelprop.train(vectors, y, **options)


def test_labels_of_all_leave_nothing_to_choose(data, tmp_path) -> None:
    vectors, _ = data
    run = labelprop.train(vectors, np.arange(120) % 3, out=tmp_path / "run", recipe="auto", epochs=1)
    assert run.metrics["recipe"] == "supervised"
    assert not (tmp_path / "run" / "race.json").exists()


def test_auto_has_no_settings_and_is_listed(data, tmp_path) -> None:
    with pytest.raises(RequestError, match="recipe auto has no settings"):
        labelprop.train(*data, out=tmp_path / "run", recipe="auto", settings={"lr": 0.1})
    found = CliRunner().invoke(app, ["methods"])
    assert found.output.splitlines()[-1].startswith("auto  A short race")
    refused = CliRunner().invoke(app, ["train", "x", "--out", "y", "--recipe", "auto", "--set", "lr=1"])
    assert refused.exit_code == 2
    assert "auto has no settings" in refused.output


def test_labels_alone_race_for_as_many_steps_as_the_longest_rival(data, tmp_path, monkeypatch) -> None:
    """A phase before a main one has at least 100 steps, an eighth of a short main phase a few."""
    lengths = {}
    monkeypatch.setattr(phases, "MIN_STEPS", 100)

    def noted(job):
        lengths[job.recipe.name] = sum(job.lengths.steps)
        raise KeyboardInterrupt if job.recipe.name == "supervised" else NonFiniteLossError("enough")

    monkeypatch.setattr(loop, "run", noted)
    with pytest.raises(KeyboardInterrupt):
        labelprop.train(*data, out=tmp_path / "run", recipe="auto", epochs=8)
    assert lengths["supervised"] == max(lengths["propagated"], lengths["dlp"]) > 100


@pytest.mark.parametrize("when", [pytest.param("in an epoch", marks=pytest.mark.slow), "in the last step"])
def test_a_rival_that_diverges_loses(data, tmp_path, monkeypatch, when: str) -> None:
    trained = loop.run

    def diverging(job):
        if job.label != "race" or job.recipe.name == "supervised":
            return trained(job)
        if when == "in an epoch":
            raise NonFiniteLossError("the loss is not finite")
        found = trained(job)
        for part in (found.net, found.method):
            for tensor in part.state_dict().values():
                if tensor.is_floating_point():
                    tensor.fill_(float("nan"))
        return found

    monkeypatch.setattr(loop, "run", diverging)
    run = labelprop.train(*data, out=tmp_path / "run", recipe="auto", epochs=8)
    assert run.metrics["recipe"] == "supervised"


def test_a_run_of_a_named_recipe_is_not_raced_in(data, tmp_path, monkeypatch) -> None:
    labelprop.train(*data, out=tmp_path / "run", recipe="supervised", epochs=1)
    record = tmp_path / "run" / "run.json"
    record.write_text(record.read_text().replace('"finished"', '"running"'))
    with pytest.raises(RequestError, match="is a run of recipe supervised, not of auto"):
        labelprop.train(*data, out=tmp_path / "run", recipe="auto", epochs=1, resume=True)


def test_each_candidate_sees_its_own_views(data, tmp_path, monkeypatch) -> None:
    """Of a backbone's vectors those recipes see mixed ones that compare views; the views of the winner are said."""
    seen, said = {}, Said()
    monkeypatch.setitem(CANDIDATES, "embedding", ("propagated", "mean-teacher", "supervised"))

    def noted(job):
        seen[job.recipe.name] = job.loader.views.mixes
        raise KeyboardInterrupt if job.recipe.name == "supervised" else NonFiniteLossError("enough")

    monkeypatch.setattr(loop, "run", noted)
    options = {"recipe": "auto", "epochs": 8, "reporter": said, "backbone": lambda vectors: vectors}
    with pytest.raises(KeyboardInterrupt):
        labelprop.train(*data, out=tmp_path / "run", **options)
    assert seen == {"propagated": False, "mean-teacher": True, "supervised": False}
