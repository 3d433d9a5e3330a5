"""`labelprop propagate` from files to the run folder: plan, labels, baselines, metrics; every kind of bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core import registry
from labelprop.core.errors import UnknownNameError
from labelprop.data.tables import spool
from labelprop.runs import plan as plan_module

N = 90


@pytest.fixture
def problem(tmp_path: Path) -> tuple[np.ndarray, np.ndarray, Path]:
    """(vectors, truth, folder): three classes, four labels each, as X.npy and y.npy, and all labels as t.npy."""
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 3
    X = (4 * np.eye(3, 5)[truth] + rng.normal(size=(N, 5))).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", np.where(np.arange(N) < 12, truth, -1))
    np.save(tmp_path / "t.npy", truth)
    return X, truth, tmp_path


def run(folder: Path, *arguments: object, data: str = "X.npy", labels: str | None = "y.npy") -> Any:
    """A command with the quickest method for these, where none is named."""
    given = [] if labels is None else ["--labels", folder / labels]
    given += [] if "--method" in arguments else ["--method", "diffusion"]
    return CliRunner().invoke(
        app, list(map(str, ["propagate", folder / data, *given, "--out", folder / "run", *arguments]))
    )


def done(*arguments: Any, **options: Any) -> str:
    """What a command that must succeed says on stderr."""
    found = run(*arguments, **options)
    assert found.exit_code == 0, found.stderr
    return str(found.stderr)


def refused(said: str, *arguments: Any, **options: Any) -> None:
    found = run(*arguments, **options)
    assert found.exit_code == 2, found.stderr
    assert re.search(said, found.stderr), found.stderr
    assert not (arguments[0] / "run").exists(), "nothing stands in the way of the next attempt"


def read(folder: Path, name: str = "metrics.json") -> dict[str, Any]:
    return dict(json.loads((folder / "run" / name).read_text()))


def labels_of(folder: Path) -> pa.Table:
    return pq.read_table(folder / "run" / "labels.parquet")


# -- what works ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", registry.entries("propagators"))
def test_every_method_labels_vectors_and_is_compared(method: str, problem) -> None:
    _, truth, folder = problem
    said = done(folder, "--method", method, "--truth", folder / "t.npy")
    assert "plan: 90 float32 vectors of 5 dimensions, 12 labeled in 3 classes\n" in said
    assert f"plan: {method}, " in said
    assert re.search(r"plan: peak memory about \d+ MB \(.* free\); ", said)
    assert f"accuracy on the 78 unlabeled examples: {method} " in said
    metrics = read(folder)
    verdict, page = metrics["verdict"], (folder / "run" / "report.html").read_text()
    assert said.splitlines()[-1].startswith(f"{verdict}: ")
    assert f"<h1>{verdict.capitalize()}: " in page
    assert metrics["estimate"]["accuracy"] == metrics["unlabeled"]["accuracy"]
    assert metrics["estimate"]["kind"] == "measured"
    assert method != "auto" or "--method auto" not in said
    assert re.search(r"\(logistic regression \d+\.\d\d%, nearest given label \d+\.\d\d%\)", said)
    table, metrics = labels_of(folder), read(folder)
    right = np.array(table.column("label").to_pylist()) == truth.astype(str)
    assert right.mean() > 0.85
    scored = {"n": 78, "scored": 78, "accuracy": pytest.approx(right[12:].mean()), "unreached": 0}
    assert metrics["unlabeled"] == scored
    for part in ("baseline", "nearest_label"):
        wrong = metrics[part]["unlabeled_wrong"]
        assert metrics[part]["unlabeled"] == pytest.approx(1 - wrong / 78)
        assert metrics[part]["agreement"] > 0.7
    assert metrics["hidden_labels"]["right"] is None, "with a truth at hand nothing needs to be estimated"
    assert set(table.column("source").to_pylist()) <= {"given", "propagated", "unreached"}
    record = read(folder, "run.json")
    assert record["status"] == "finished"
    assert record["recipe"] == method
    page = (folder / "run" / "report.html").read_text()
    assert "a logistic regression on the 12 given examples" in page
    assert "the label of the most similar given example" in page


def test_without_truth_given_labels_are_hidden_in_turn(problem) -> None:
    _, _, folder = problem
    said = done(folder)
    hidden = read(folder)["hidden_labels"]
    assert (hidden["n"], hidden["folds"]) == (12, 4)
    assert all(6 < hidden[key] <= 12 for key in ("right", "baseline_right", "nearest_label_right"))
    assert "of the 12 given labels, hidden in turn, diffusion " in said
    assert read(folder)["verdict"] == "not measured", "twelve are too few to tell"
    assert said.splitlines()[-1].startswith("not measured: ")
    assert "<h1>Not measured: " in (folder / "run" / "report.html").read_text()
    assert read(folder)["baseline"]["unlabeled"] is None
    assert "Compared on the same 12 given labels, each hidden once" in (folder / "run" / "report.html").read_text()


def test_hiding_labels_leaves_the_result_as_it_was(problem) -> None:
    _, _, folder = problem
    done(folder)
    compared = labels_of(folder)
    done(folder, "--no-baselines", "--overwrite")
    assert labels_of(folder).equals(compared)
    metrics = read(folder)
    assert metrics["hidden_labels"] is None
    assert metrics["baseline"]["agreement"] is None
    assert 'id="compared"' not in (folder / "run" / "report.html").read_text()


def test_labels_alone_that_do_better_are_warned_of(tmp_path: Path) -> None:
    """Two classes apart along one dimension, in clusters that straddle the border: neighbors mislead."""
    rng = np.random.default_rng(1)
    n = 200
    cluster = rng.integers(12, size=n)
    side = rng.integers(2, size=n)
    X = np.concatenate([8 * np.eye(12)[cluster], (2.0 * side - 1)[:, None]], 1) + 0.05 * rng.normal(size=(n, 13))
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    np.save(tmp_path / "t.npy", side)
    np.save(tmp_path / "y.npy", np.where(np.arange(n) < 60, side, -1))
    said = done(tmp_path, "--truth", tmp_path / "t.npy", "--n-neighbors", 30)
    assert re.search(r"warning: a logistic regression on the given labels gets 100\.00% of the unlabeled rows", said)
    assert "against 0</b> from a logistic regression on the 60 given" in (tmp_path / "run/report.html").read_text()


def test_parquet_columns_are_streamed_and_give_what_arrays_give(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    X, truth, folder = problem
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 8)
    labels = pa.array([str(label) if row < 12 else None for row, label in enumerate(truth)])
    vectors = pa.array(X.tolist(), pa.list_(pa.float32()))
    ids = [f"r{row}" for row in range(N)]
    pq.write_table(pa.table({"id": ids, "v": vectors, "label": labels}), folder / "t.parquet", row_group_size=20)
    done(folder)
    want = labels_of(folder)
    done(folder, "--embedding-col", "v", "--overwrite", data="t.parquet", labels=None)
    found = labels_of(folder)
    assert found.column("id").to_pylist() == ids
    assert found.drop_columns("id").equals(want.drop_columns("id"))


@pytest.mark.parametrize("kind", ["float16", "float64", "int16", ">f4"])
def test_other_numbers_and_compressed_archives(problem, kind: str) -> None:
    X, truth, folder = problem
    whole = np.round(X * 8).astype(kind)
    np.savez_compressed(folder / "x.npz", X=whole, y=np.where(np.arange(N) < 12, truth, -1))
    np.save(folder / "k.npy", whole)
    said = done(folder, data="k.npy")
    assert "unlabeled examples labeled" in said
    want = labels_of(folder).column("label")
    done(folder, "--overwrite", data="x.npz", labels=None)
    assert labels_of(folder).column("label").equals(want)
    assert (np.array(want.to_pylist()) == truth.astype(str)).mean() > 0.85


def test_mapped_files_reach_the_propagator_as_they_are(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, folder = problem
    seen: list[Any] = []
    fit = labelprop.Diffusion.fit
    monkeypatch.setattr(
        labelprop.Diffusion, "fit", lambda self, X, *a, **k: (seen.append(X), fit(self, X, *a, **k))[1]
    )
    done(folder, "--no-baselines")
    assert [type(X) for X in seen] == [np.memmap]


def test_wide_results_stay_sparse(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, folder = problem
    done(folder, "--truth", folder / "t.npy")
    whole = labels_of(folder)
    monkeypatch.setattr(sparse.csr_array, "todense", lambda *_: pytest.fail("a result was made dense"))
    done(folder, "--truth", folder / "t.npy", "--top-classes", 2, "--overwrite")
    found = labels_of(folder)
    assert found.column("label").equals(whole.column("label"))
    assert read(folder)["baseline"]["unlabeled"] is not None
    margins = np.array(found.column("margin")), np.array(whole.column("margin"))
    assert (margins[0] >= margins[1] - 1e-6).all(), "two classes share what three had"


def test_options_that_take_words_and_lists(problem) -> None:
    _, _, folder = problem
    settings = ["--reweight", "poisson", "--class-mass", "1,1,2", "--n-neighbors", "5"]
    done(folder, "--method", "label-propagation", *settings)
    found = read(folder, "run.json")["settings"]
    assert (found["reweight"], found["class_mass"], found["n_neighbors"]) == ("poisson", [1.0, 1.0, 2.0], 5)
    assert not {"volume", "device", "random_state", "verbose", "warm_start"} & set(found)
    done(folder, "--volume", "seeds", "--overwrite")
    assert read(folder, "run.json")["settings"]["volume"] == "seeds"
    done(folder, "--method", "local", "--density", "none", "--overwrite")
    assert "density" not in read(folder, "run.json")["settings"]


def test_python_takes_arrays_and_names_parameters(problem) -> None:
    X, truth, folder = problem
    y = np.where(np.arange(N) < 12, truth, -1)
    options = {"method": "poisson", "out": folder / "run"}
    run = labelprop.propagate(X, y, parameters={"class_prior": np.array([1.0, 1.0, 1.0])}, **options)
    assert (run.labels.column("label").to_numpy() == truth).mean() > 0.85
    with pytest.raises(UnknownNameError, match="did you mean 'n_neighbors'"):
        labelprop.propagate(X, y, parameters={"n_neighbours": 3}, overwrite=True, **options)


# -- the plan -----------------------------------------------------------------------------------------------


def test_more_neighbors_than_rows_are_cut_and_said(problem) -> None:
    assert "plan: diffusion, metric cosine, 89 neighbors (of 500 asked for: there are no more)" in done(
        problem[2], "--n-neighbors", 500
    )


def test_what_does_not_fit_is_refused_with_what_would(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, folder = problem
    X = np.zeros((20_000, 2), dtype=np.float32)
    X[:, 0] = np.arange(20_000) % 7 + 1
    X[:, 1] = 1
    np.save(folder / "many.npy", X)
    np.save(folder / "some.npy", np.where(np.arange(20_000) < 14, np.arange(20_000) % 7, -1))
    monkeypatch.setattr(plan_module, "available_bytes", lambda: 2**30)
    arguments = {"data": "many.npy", "labels": "some.npy"}
    refused(
        r"diffusion on these 20,000 vectors would take about \d.*1\.1 GB is free\. "
        r"What would fit: .*--n-neighbors 10 \(about .*; --method local \(about .*--force",
        *(folder, "--n-neighbors", 19_999),
        **arguments,
    )
    monkeypatch.setattr(plan_module, "available_bytes", lambda: 10**6)
    refused("1 MB is free. Take fewer rows, or a larger machine", folder, **arguments)
    assert "plan: " in done(folder, "--force")


# -- bad input ----------------------------------------------------------------------------------------------


def test_a_row_that_is_not_finite_is_named_by_its_id(problem) -> None:
    X, _, folder = problem
    X[7, 2] = np.nan
    np.save(folder / "nan.npy", X)
    refused(r"row 7 \(id '7'\): NaN in dimension 2", folder, data="nan.npy")
    table = pa.table({"id": [f"image {row}" for row in range(N)], "embedding": X.tolist()})
    pq.write_table(table, folder / "nan.parquet")
    refused("'image 7'", folder, data="nan.parquet")


def test_rows_of_zeros_are_said_and_stay_unreached(problem) -> None:
    X, _, folder = problem
    X[50:53] = 0
    np.save(folder / "zeros.npy", X)
    assert "nothing but zeros in 3 rows: '50', '51', '52'. They have no direction" in done(folder, data="zeros.npy")
    assert labels_of(folder).column("source").to_pylist()[50:53] == ["unreached"] * 3


def test_one_class_is_labeled_with_a_warning(problem) -> None:
    _, truth, folder = problem
    np.save(folder / "y.npy", np.where((np.arange(N) < 12) & (truth == 1), 1, -1))
    said = done(folder)
    assert "with one class there is nothing to tell apart" in said
    assert "4 labeled in 1 class, 86 unlabeled" in said
    assert set(labels_of(folder).column("label").to_pylist()) == {"1"}


def test_where_every_row_is_labeled_the_labels_come_back(problem) -> None:
    _, truth, folder = problem
    assert "all 90 examples carry the label you gave" in done(folder, labels="t.npy")
    assert labels_of(folder).column("label").to_pylist() == truth.astype(str).tolist()
    assert set(labels_of(folder).column("source").to_pylist()) == {"given"}


FILES = {
    "empty.npy": (b"", "cannot read .*empty.npy"),
    "empty.parquet": (b"", "is not a Parquet file, or is damaged"),
    "empty.csv": (b"", "is empty"),
    "damaged.npz": (b"PK\3\4", "cannot read .*damaged.npz"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_with_nothing_in_them(problem, name: str) -> None:
    content, said = FILES[name]
    (problem[2] / name).write_bytes(content)
    refused(said, problem[2], data=name)


def test_arrays_of_the_wrong_shape(problem) -> None:
    X, truth, folder = problem
    np.save(folder / "none.npy", X[:0])
    np.save(folder / "flat.npy", X[:, 0])
    np.save(folder / "short.npy", truth[:50])
    refused("'none' has no rows", folder, data="none.npy")
    refused(r"'flat' has shape \(90,\); vectors must have shape \(n, dimensions\)", folder, data="flat.npy")
    refused(r"short.npy has shape \(50,\) where 'X' has 90 rows", folder, labels="short.npy")


LABELS = {
    "unknown id": ("id,label\n3,a\n999,b\n", "'999'"),
    "no columns": ("a;b\n3;x\n", "has no column 'id'"),
    "no label": ("id,label\n3,\n", "no labels"),
}


@pytest.mark.parametrize("case", LABELS)
def test_wrong_label_files(problem, case: str) -> None:
    content, said = LABELS[case]
    (problem[2] / "labels.csv").write_text(content)
    refused(said, problem[2], labels="labels.csv")
    refused("no file", problem[2], labels="nowhere.csv")


FLAGS = {
    "--power x": "'--power'",
    "--n-neigbors 4": "--n-neighbors",
    "--alpha 1.5": "alpha=1.5: must be a number >= 0 and < 1",
    "--n-neighbors 0": "n_neighbors=0: must be a whole number >= 1",
    "--temperature 4": "--temperature is no flag of --method diffusion",
    "--volume seed": "--volume seed must be none, seeds or numbers .* did you mean 'seeds'",
    "--volume 1,2": r"volume has shape \(2,\) for 3 classes",
    "--method difusion": "did you mean 'diffusion'",
    "--metric euclidean": "--metric euclidean is not for --method diffusion, which takes cosine; it is for ",
    "--search fast": "--search fast must be auto, exact or approximate",
    "--device gpu": "unknown --device 'gpu'",
}


@pytest.mark.parametrize("flags", FLAGS)
def test_wrong_flags_are_named(problem, flags: str) -> None:
    refused(FLAGS[flags], problem[2], *flags.split())


def test_settings_that_are_infinite_or_of_numpy_are_kept(problem) -> None:
    _, _, folder = problem
    given = {"temperature": np.inf, "n_neighbors": np.int64(4)}
    run = labelprop.propagate(
        folder / "X.npy", folder / "y.npy", method="weighted-knn", parameters=given, out=folder / "run"
    )
    kept = json.loads((run.path / "run.json").read_text())
    assert kept["request"]["parameters"] == {"temperature": "inf", "n_neighbors": 4}
    assert (kept["settings"]["temperature"], kept["settings"]["n_neighbors"]) == ("inf", 4)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--method", "poisson"], "plan: poisson, metric euclidean, 10 neighbors"),
        (["--method", "poisson", "--metric", "cosine"], "plan: poisson, metric cosine, 10 neighbors"),
        (["--method", "label-spreading", "--kernel", "rbf", "--metric", "cosine"], "metric euclidean, all pairs"),
        (["--method", "auto"], "plan: auto, metrics cosine and euclidean, 50 neighbors"),
    ],
)
def test_the_plan_names_the_metric(problem, flags: list[str], said: str) -> None:
    assert said in done(problem[2], *flags)
    chosen = read(problem[2], "run.json")["verdict"].get("metric", "none")
    assert chosen in (("cosine", "euclidean") if "auto" in flags else ("none",))


# -- what is said of results that are less than they seem ---------------------------------------------------


def test_unreached_rows_are_not_counted_as_labeled(problem) -> None:
    X, _, folder = problem
    X[12:32] = 0
    np.save(folder / "X.npy", X)
    said = done(folder, "--no-baselines")
    assert "58 of 78 unlabeled examples labeled, 20 unreached: nothing connects them to a label" in said
    assert read(folder)["unlabeled"]["unreached"] == 20
    said = done(folder, "--no-baselines", "--overwrite", "--truth", folder / "t.npy")
    assert "accuracy on the 78 unlabeled examples (20 unreached, counted as wrong): diffusion " in said


def test_negative_class_names_and_equal_vectors_are_said(problem) -> None:
    X, truth, folder = problem
    np.save(folder / "X.npy", np.ones_like(X))
    np.save(folder / "y.npy", np.where(np.arange(N) < 12, np.where(truth == 0, -2, truth), -1))
    said = done(folder, "--no-baselines")
    assert "warning: '-2' is taken as a class; only -1 and empty cells mark unlabeled examples." in said
    assert "warning: all vectors are equal" in said


def test_hidden_labels_are_an_estimate_where_there_are_twenty(problem) -> None:
    _, truth, folder = problem
    np.save(folder / "y.npy", np.where(np.arange(N) < 60, truth, -1))
    said, metrics = done(folder), read(folder)
    assert metrics["estimate"]["kind"] == "estimated"
    assert metrics["estimate"]["n_eff"] == metrics["hidden_labels"]["n"] == 60
    assert metrics["estimate"]["accuracy"] == metrics["hidden_labels"]["right"] / 60
    assert said.splitlines()[-1].startswith(f"{metrics['verdict']}: ")
