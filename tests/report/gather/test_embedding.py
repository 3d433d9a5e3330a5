import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from labelprop.core.errors import RequestError
from labelprop.report.gather.embedding import moments, near_their_own, read_analyses
from labelprop.report.gather.page import read_run
from labelprop.report.render import write_report
from report.states import STATES
from report.synthetic import Spec, write_run


def test_curves_are_this_runs_and_the_labels_alones(tmp_path) -> None:
    found = read_analyses(read_run(write_run(tmp_path, STATES["analyses"])))
    assert found.aggregation.epochs == tuple(range(1, 25))
    assert (found.aggregation.values[0], found.aggregation.last) == pytest.approx((0.285, 0.86))
    assert found.baseline_aggregation.values == pytest.approx([0.5] * 24)
    assert found.pseudo.epochs == tuple(range(7, 25)), "pseudo-labels start with the second phase"
    assert found.correlation.last == pytest.approx(0.4)
    assert found.aggregation_C.shape == found.density_C.shape == found.assigned_C.shape == (10,)
    assert found.right_H.sum() + found.wrong_H.sum() <= 500


def test_a_run_without_analyses_has_none(tmp_path) -> None:
    run = read_run(write_run(tmp_path, STATES["truth"]))
    assert not read_analyses(run)
    assert moments(run) == []
    assert 'id="embedding"' not in write_report(tmp_path).read_text()


def test_lists_of_other_lengths_than_the_classes_are_left_out(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for line in lines:
        line["monitor"]["aggregation_of_class"] = [0.5, None]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(read_analyses(read_run(folder)).aggregation_C) == 0
    assert 'id="embedding"' in write_report(folder).read_text()


def test_unknown_numbers_of_a_class_are_left_out_of_its_charts(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for line in lines:
        for name in ("aggregation_of_class", "density_of_class"):
            if name in line["monitor"]:
                line["monitor"][name][3] = None
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = write_report(folder).read_text()
    assert page.count('<circle class="spot"') == 9
    assert "nan" not in page.lower()


def test_moments_are_four_with_the_first_and_the_last_named_by_epoch(tmp_path) -> None:
    run = read_run(write_run(tmp_path, STATES["analyses"]))
    found = moments(run)
    assert [moment.epoch for moment in found] == [3, 9, 18, 24]
    assert sorted(run.looks) == [30, 60, 90, 120, 150, 180, 210, 240], "steps count over both phases"
    rows = found[0].look.rows_of_classes_S
    assert all(moment.look.rows_of_classes_S.tolist() == rows.tolist() for moment in found)
    assert found[0].look.vectors_of_classes_SD.dtype == np.float32


def test_a_look_of_an_epoch_that_the_history_lacks_is_not_shown(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    (folder / "analyses" / "000000240.safetensors").rename(folder / "analyses" / "000000999.safetensors")
    assert [moment.epoch for moment in moments(read_run(folder))] == [3, 9, 15, 21]


def test_without_looks_the_rest_of_the_section_stays(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    for path in (folder / "analyses").iterdir():
        path.unlink()
    page = write_report(folder).read_text()
    assert 'id="embedding"' in page
    assert 'class="plane"' not in page


def test_without_evidence_no_class_is_known_and_nothing_is_laid_out(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    (folder / "evidence.parquet").unlink()
    assert 'class="plane"' not in write_report(folder).read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"damaged", "cannot be read"),
        ({"rows_of_classes": np.array([1])}, "cannot be read"),
        (
            {
                "rows_of_classes": np.array([1, 4000]),
                "vectors_of_classes": np.ones((2, 3), np.float16),
                "rows_of_one": np.array([1]),
                "vectors_of_one": np.ones((1, 3), np.float16),
            },
            "not of this run",
        ),
    ],
)
def test_a_damaged_or_foreign_look_is_named_with_what_to_do(tmp_path, content, said: str) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    path = folder / "analyses" / "000000240.safetensors"
    path.write_bytes(content) if isinstance(content, bytes) else save_file(content, path)
    with pytest.raises(RequestError, match=f"000000240.*{said}.*remove it"):
        write_report(folder)


def test_near_their_own_leaves_the_row_itself_out() -> None:
    vectors = np.array([[1, 0], [0.99, 0.1], [0, 1], [0.1, 0.99]], np.float32)
    assert near_their_own(vectors, np.array([0, 0, 1, 0])) == 0.5
    assert near_their_own(vectors, np.array([0, 0, 1, 1])) == 1


def test_one_class_has_no_neighbors_to_tell(tmp_path) -> None:
    page = write_report(write_run(tmp_path, STATES["analyses_one_class"])).read_text()
    assert "The nearest neighbor is of the same class" not in page
    assert 'class="plane"' in page


def test_the_same_run_makes_the_same_page(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    before = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == before


@pytest.mark.parametrize("given", [10, 100])
def test_the_section_stays_small(tmp_path, given: int) -> None:
    classes = tuple(f"class {k}" for k in range(12))
    spec = Spec(n=3000, kind="vector", classes=classes, given=given)
    plain = len(write_report(write_run(tmp_path / "plain", spec)).read_bytes())
    spec = Spec(n=3000, kind="vector", classes=classes, given=given, analyses=True)
    assert len(write_report(write_run(tmp_path / "full", spec)).read_bytes()) < plain + 400_000
