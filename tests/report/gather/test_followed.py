import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from labelprop.core.errors import RequestError
from labelprop.report.gather.finished_run import read_run
from labelprop.report.gather.followed import moments
from labelprop.report.render import write_report
from report.states import STATES
from report.synthetic import Spec, write_run


def test_numbers_of_classes_and_of_bins_are_the_last_ones(tmp_path) -> None:
    own = read_run(write_run(tmp_path, STATES["analyses"])).own
    assert own.monitored("pseudo_label_accuracy").epochs == tuple(range(7, 25)), "they start with the second phase"
    for name in ("aggregation_of_class", "density_of_class", "assigned_to_class"):
        assert own.last_list(name, 10).shape == (10,)
        assert len(own.last_list(name, 9)) == 0
    assert own.last_list("certainty_of_right").sum() + own.last_list("certainty_of_wrong").sum() <= 500


def test_a_run_without_analyses_has_none(tmp_path) -> None:
    run = read_run(write_run(tmp_path, STATES["truth"]))
    assert moments(run) == []
    assert 'id="embedding"' not in write_report(tmp_path).read_text()


def test_lists_of_other_lengths_than_the_classes_are_left_out(tmp_path) -> None:
    folder = write_run(tmp_path, STATES["analyses"])
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    for line in lines:
        line["monitor"]["aggregation_of_class"] = [0.5, None]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
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
    assert sorted(run.vectors) == [30, 60, 90, 120, 150, 180, 210, 240], "steps count over both phases"
    rows = found[0].rows_of_classes_S
    assert all(moment.rows_of_classes_S.tolist() == rows.tolist() for moment in found)
    assert found[0].vectors_of_classes_SD.dtype == np.float32


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


def test_one_class_has_no_neighbors_to_tell(tmp_path) -> None:
    page = write_report(write_run(tmp_path, STATES["analyses_one_class"])).read_text()
    assert "Nearest neighbor alike" not in page
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
