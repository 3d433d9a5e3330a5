import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import RequestError
from labelprop.report.gather.finished_run import read_run
from labelprop.report.render import write_report
from report.synthetic import Spec, write_run


def test_a_run_as_arrays(tmp_path):
    run = read_run(write_run(tmp_path, Spec(n=200, truth=0.5)))
    assert (run.name, run.noun, run.verb, run.recipe) == ("digits", "image", "train", "dlp")
    assert (run.n_given, run.n_unlabeled, run.unreached) == (30, 170, 0)
    assert run.truth_is_partial
    assert run.trust.n == 170
    assert run.rows.place_N2.min() == 0
    assert run.rows.place_N2.max() == 1


def test_a_propagated_run_has_unreached_rows_and_no_history(tmp_path):
    run = read_run(write_run(tmp_path, Spec(n=100, verb="propagate", unreached=7)))
    assert (run.verb, run.unreached, run.history) == ("propagate", 7, [])
    assert not run.rows.pool_N[run.rows.label_N < 0].any()


def test_classes_known_from_the_truth_only_are_always_errors(tmp_path):
    folder = write_run(tmp_path, Spec(n=100, errors=0))
    evidence = pq.read_table(folder / "evidence.parquet")
    truth = evidence.column("truth").to_pylist()
    place = next(i for i, name in enumerate(truth) if name)
    truth[place] = "zebra"
    column = evidence.column_names.index("truth")
    pq.write_table(evidence.set_column(column, "truth", [truth]), folder / "evidence.parquet")
    run = read_run(folder)
    assert run.names == (*run.classes, "zebra")
    assert run.trust.all.wrong == 1
    assert "zebra" in write_report(folder).read_text()


def test_a_run_without_evidence_still_has_a_page(tmp_path):
    folder = write_run(tmp_path, Spec(n=100))
    (folder / "evidence.parquet").unlink()
    run = read_run(folder)
    assert not run.has_map
    assert not run.has_truth
    page = write_report(folder).read_text()
    assert 'id="map"' not in page
    assert 'id="check"' in page


def test_evidence_of_another_run_is_refused(tmp_path):
    folder = write_run(tmp_path / "a", Spec(n=100))
    other = write_run(tmp_path / "b", Spec(n=101))
    (other / "evidence.parquet").replace(folder / "evidence.parquet")
    with pytest.raises(RequestError, match="list different examples"):
        read_run(folder)


def test_an_unfinished_run_is_refused(tmp_path):
    (tmp_path / "run.json").write_text(json.dumps({"classes": ["a"]}))
    with pytest.raises(RequestError, match=r"labels\.parquet does not exist"):
        read_run(tmp_path)


def test_constant_coordinates_lie_in_the_middle(tmp_path):
    folder = write_run(tmp_path, Spec(n=50))
    evidence = pq.read_table(folder / "evidence.parquet")
    constant = [3.0] * 50
    evidence = evidence.set_column(evidence.column_names.index("y"), "y", [constant])
    pq.write_table(evidence, folder / "evidence.parquet")
    assert np.allclose(read_run(folder).rows.place_N2[:, 1], 0.5)
