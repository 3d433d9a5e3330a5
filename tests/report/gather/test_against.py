"""Two runs side by side: what is counted, what is said of it, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest
from typer.testing import CliRunner

import labelprop
from labelprop.cli.main import app
from labelprop.core.errors import RequestError
from labelprop.report.gather.against import RowsOfBoth, changed_rows, join_rows, read_other
from labelprop.report.gather.finished_run import read_run
from labelprop.report.render import write_report
from labelprop.report.say.against import against_heading, aggregation_heading, difference_sentence
from report.pages import said
from report.states import HOSTILE, STATES
from report.synthetic import Spec, write_run

TIE = "do not tell which is better"
SPEC = Spec(n=300, given=5, analyses=True)


@pytest.fixture
def two(tmp_path):
    """Two finished runs on the same data, the second with more errors and its rows in another order."""
    return write_run(tmp_path / "a", SPEC), other_run(tmp_path / "b", SPEC)


def other_run(folder, spec):
    """The same examples in the opposite order; of each three unlabeled rows one is made wrong, the others right."""
    write_run(folder, spec)
    labels, evidence = pq.read_table(folder / "labels.parquet"), pq.read_table(folder / "evidence.parquet")
    truth, texts = evidence.column("truth").to_pylist(), labels.column("label").to_pylist()
    for i in np.flatnonzero([source != "given" for source in labels.column("source").to_pylist()]).tolist():
        right = truth[i] or texts[i]
        texts[i] = right if i % 3 else spec.classes[(spec.classes.index(right) + 1) % len(spec.classes)]
    labels = labels.set_column(labels.column_names.index("label"), "label", [texts])
    turned = np.arange(spec.n)[::-1]
    pq.write_table(labels.take(turned), folder / "labels.parquet")
    pq.write_table(evidence.take(turned), folder / "evidence.parquet")
    return folder


def edit(folder, name, **values) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_rows_are_joined_by_id_and_counted_by_hand(two) -> None:
    a, b = two
    tables = []
    for folder in two:
        labels, truth = pq.read_table(folder / "labels.parquet"), pq.read_table(folder / "evidence.parquet")
        known = dict(zip(truth.column("id").to_pylist(), truth.column("truth").to_pylist(), strict=True))
        tables.append({row["id"]: row["label"] == known[row["id"]] for row in labels.to_pylist() if known[row["id"]]})
    ours, theirs = tables
    found = join_rows(read_run(a), read_run(b))
    assert found.n == found.known == len(ours) == 250
    assert found.only_own == sum(right and not theirs[key] for key, right in ours.items()) > 50
    assert found.only_other == sum(not right and theirs[key] for key, right in ours.items()) >= 1
    assert join_rows(read_run(b), read_run(a)) == replace(found, only_own=found.only_other, only_other=found.only_own)


def test_rows_given_in_either_run_do_not_count_and_a_truth_known_to_one_counts_for_both(two) -> None:
    a, b = two
    labels = pq.read_table(b / "labels.parquet").to_pydict()
    place = next(i for i, source in enumerate(labels["source"]) if source == "predicted")
    labels["source"][place] = "given"
    pq.write_table(
        pq.read_table(b / "labels.parquet").set_column(4, "source", [labels["source"]]), b / "labels.parquet"
    )
    (b / "evidence.parquet").unlink()
    found = join_rows(read_run(a), read_run(b))
    assert found.n == found.known == 249


def test_the_labels_that_changed_are_those_that_differ_by_id(two) -> None:
    a, b = two
    ours, theirs = (
        {row["id"]: row for row in pq.read_table(folder / "labels.parquet").to_pylist()} for folder in two
    )
    run, other = read_run(a), read_run(b)
    found, both = changed_rows(run, other), join_rows(run, other)
    expected = {key: (theirs[key]["label"], row["label"]) for key, row in ours.items()}
    expected = {key: pair for key, pair in expected.items() if pair[0] != pair[1]}
    assert {run.rows.ids[entry.row]: (entry.other, entry.own) for entry in found} == expected
    assert len(found) == both.n - both.same > 50
    certainties = [ours[run.rows.ids[entry.row]]["certainty"] for entry in found]
    assert certainties == sorted(certainties, reverse=True)
    assert sum(entry.own_right and not entry.other_right for entry in found) == both.only_own
    assert {entry.given for entry in found} == {""}
    page = write_report(a, b).read_text()
    words, listed = part(page), page[page.index('<details id="changed">') :].split("</table>")[0]
    assert f"{len(found)} images with another label" in words
    assert f"for the better {both.only_own}, for the worse {both.only_other}." in words
    assert listed.count(", right</td>") == both.only_own + both.only_other


def test_a_corrected_label_is_marked_and_comes_last_and_the_list_ends_at_a_hundred(tmp_path) -> None:
    spec = Spec(n=600, given=5, truth=0)
    a, b = write_run(tmp_path / "a", spec), other_run(tmp_path / "b", spec)
    run = read_run(a)
    first = run.rows.ids[changed_rows(run, read_run(b))[0].row]
    table = pq.read_table(a / "labels.parquet")
    place, at = table.column("id").to_pylist().index(first), table.column_names.index("source")
    sources = table.column("source").to_pylist()
    sources[place] = "given"
    pq.write_table(table.set_column(at, "source", [sources]), a / "labels.parquet")
    found = changed_rows(read_run(a), read_run(b))
    assert (run.rows.ids[found[-1].row], found[-1].given) == (first, "this")
    assert len(found) > 100
    page = write_report(a, b).read_text()
    table_of = page[page.index('<details id="changed">') :].split("</table>")[0]
    assert table_of.count('<th scope="row">') == 100
    assert f"the first 100 of {len(found)}" in table_of
    assert "1 of them where you gave the label." in page
    assert "No image has another label." in part(write_report(a, a).read_text())


def test_the_difference_and_its_interval_by_hand() -> None:
    paired = RowsOfBoth(n=1000, same=950, known=1000, only_own=31, only_other=12)
    middle, low, high = paired.difference
    assert middle == pytest.approx(0.019)
    part_of_43 = binomtest(31, 43).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx(((2 * part_of_43.low - 1) * 0.043, (2 * part_of_43.high - 1) * 0.043))
    assert RowsOfBoth(10, 10, 10, 0, 0).difference == (0, 0, 0)


@pytest.mark.parametrize(
    ("both", "heading", "numbers"),
    [
        (RowsOfBoth(0, 0, 0, 0, 0), "no unlabeled image in common", ()),
        (RowsOfBoth(200, 150, 0, 0, 0), "75.0% of 200 images", ()),
        (RowsOfBoth(9, 9, 9, 0, 0), "0 images in this, 0 in the other", ("9 images", ": 0.0 ", "0.0 to 0.0", TIE)),
        (RowsOfBoth(1000, 950, 1000, 31, 12), "31 images in this, 12", ("1,000 images", ": +1.9 ", "+0.6 to +2.9)")),
        (RowsOfBoth(1000, 950, 1000, 12, 31), "12 images in this, 31", (": −1.9 ", "−2.9 to −0.6)")),
        (RowsOfBoth(100, 90, 100, 1, 0), "1 image in this, 0", (": +1.0 ", "−0.6 to +1.0)", TIE)),
        (RowsOfBoth(100, 90, 100, 0, 8), "0 images in this, 8", (": −8.0 ", "−8.0 to −2.8)")),
    ],
)
def test_heading_and_sentence(both: RowsOfBoth, heading: str, numbers: tuple[str, ...]) -> None:
    assert heading in against_heading(both, "image")
    sentence = difference_sentence(both, "image")
    assert all(text in sentence for text in numbers)
    assert bool(sentence) == bool(both.known)
    assert (TIE in sentence) == (TIE in numbers)


def test_classes_that_lie_closer_together_are_counted_where_both_are_known() -> None:
    own_C, other_C = np.array([0.9, 0.9, 0.1, 0.5, np.nan]), np.array([0.8, 0.7, 0.2, 0.5, 0.9])
    assert aggregation_heading(own_C, other_C).endswith(": 2 of 4")


def part(page: str) -> str:
    """The words of the part, as the golden files have them."""
    start = page.index('<section id="against"')
    return said(page[start : page.index('<section id="run"')] + '<section id="run"')


def test_the_part_has_curves_scatter_and_sentence(two) -> None:
    a, b = two
    page = write_report(a, b).read_text()
    words = part(page)
    assert "p: Of the 250 images with truth that neither run was given" in words
    assert "The other run, in the folder b: recipe dlp, 20 November 2026." in words
    for what in ("Share right", "Aggregation", "Nearest neighbor", "Pseudo-labels"):
        assert f"h3: {what}: " in words
    assert "h3: Classes whose examples lie closer together in this run: 0 of 10" in words
    assert page.count('class="mark" x1="46" x2="330"') == 1, "the diagonal"
    assert '<a href="#against">' in page
    assert str(b) not in page
    assert 'id="against"' not in write_report(a).read_text(), "and without --against it is gone again"


def test_hostile_names_are_text_in_the_part(tmp_path) -> None:
    spec = STATES["hostile"]
    page = write_report(write_run(tmp_path / "a", spec), other_run(tmp_path / "b", spec)).read_text()
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "\u202e" not in page.split('id="data">')[0]
    assert HOSTILE[0] not in page.split('id="data">')[0]


def test_runs_without_training_or_truth_share_what_they_have(tmp_path) -> None:
    spec = Spec(n=120, kind="vector", verb="propagate", truth=0)
    page = write_report(write_run(tmp_path / "a", spec), other_run(tmp_path / "b", spec)).read_text()
    assert "h2: Both runs give the same label to" in part(page)
    assert "h3" not in part(page)
    assert "The other run, in the folder b: method diffusion" in part(page)


def test_more_than_a_hundred_classes_keep_the_table_short(tmp_path) -> None:
    spec = STATES["analyses_120"]
    page = write_report(write_run(tmp_path / "a", spec), other_run(tmp_path / "b", spec)).read_text()
    table = page[page.index("<summary>Numbers of both runs by class") : page.index('<section id="embedding"')]
    assert table.count('<th scope="row">') == 20
    assert "The 20 of 120 that differ most" in table


def test_no_run_of_ours(two, tmp_path) -> None:
    with pytest.raises(RequestError, match=r"--against .*nowhere is not a labelprop run .*no run\.json"):
        write_report(two[0], tmp_path / "nowhere")
    with pytest.raises(RequestError, match="is not a labelprop run"):
        write_report(two[0], tmp_path)


def test_an_unfinished_run(two) -> None:
    edit(two[1], "run.json", status="running")
    with pytest.raises(RequestError, match=r"--against .*b is not finished; finish it with --resume"):
        write_report(*two)


def test_other_classes_are_named(two) -> None:
    edit(two[1], "run.json", classes=["0", "1", "2", "3", "4", "5", "6", "7", "x", "y"])
    with pytest.raises(RequestError, match="has other classes: only here 8 and 9; only there x and y"):
        write_report(*two)


def test_classes_in_another_order_are_the_same_classes(two) -> None:
    a, b = two
    before = join_rows(read_run(a), read_run(b))
    edit(b, "run.json", classes=list("9876543210"))
    assert join_rows(read_run(a), read_other(b, read_run(a))) == before


def test_other_examples_are_named(two, tmp_path) -> None:
    a = two[0]
    other = write_run(tmp_path / "c", Spec(n=300, given=5, ids=tuple(f"new{k}" for k in range(9))))
    with pytest.raises(RequestError, match=r"labels other examples: only here .* and 6 more; only there new0, new1"):
        write_report(a, other)


def test_a_refused_run_leaves_the_page_as_it_was(two) -> None:
    before = write_report(two[0]).read_bytes()
    edit(two[1], "run.json", status="running")
    with pytest.raises(RequestError):
        write_report(*two)
    assert (two[0] / "report.html").read_bytes() == before


def test_the_command_and_the_method_take_the_other_run(two, tmp_path) -> None:
    a, b = two
    done = CliRunner().invoke(app, ["report", str(a), "--against", str(b)])
    assert (done.exit_code, done.stdout) == (0, f"report: {a / 'report.html'}\n")
    written = (a / "report.html").read_bytes()
    assert b'id="against"' in written
    assert labelprop.load(a).write_report(against=b).read_bytes() == written
    shutil.rmtree(b)
    done = CliRunner().invoke(app, ["report", str(a), "--against", str(b)])
    assert done.exit_code == 2
    assert "is not a labelprop run" in done.stderr
    assert "Traceback" not in done.stderr
