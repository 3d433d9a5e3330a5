"""Every heading at its edges: none, one, all, ties."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.report.gather.classes import Classes, Confusion, firm_errors
from labelprop.report.gather.comparison import Comparison, Way
from labelprop.report.gather.finished_run import read_run
from labelprop.report.gather.history import Curve, NamedCurve
from labelprop.report.gather.numbers import Share
from labelprop.report.say import findings


@pytest.fixture
def make(tmp_path):
    """A run from lists: labels (None: unreached), certainties, truths and how many rows were given before them."""

    def make_run(labels, certainty, truth=None, given=2, classes=("cat", "dog", "owl"), places=None):
        n = given + len(labels)
        ids = [str(i) for i in range(n)]
        source = ["given"] * given + ["unreached" if label is None else "predicted" for label in labels]
        pq.write_table(
            pa.table(
                {
                    "id": ids,
                    "label": pa.array([classes[i % len(classes)] for i in range(given)] + labels, pa.string()),
                    "certainty": pa.array([1.0] * given + certainty, pa.float32()),
                    "margin": pa.array([1.0] * given + certainty, pa.float32()),
                    "source": source,
                }
            ),
            tmp_path / "labels.parquet",
        )
        truths = [None] * given + (truth or [None] * len(labels))
        nothing = pa.nulls(n)
        evidence = {"id": ids, "truth": pa.array(truths, pa.string()), "second": nothing, "shown": [True] * n}
        xs, ys = zip(*places, strict=True) if places else (nothing, nothing)
        columns = {"x": xs, "y": ys, "picture": nothing, "text": nothing}
        pq.write_table(pa.table(evidence | columns), tmp_path / "evidence.parquet")
        about = {"classes": list(classes), "name": "pets", "noun": "image", "recipe": "dlp"}
        (tmp_path / "run.json").write_text(json.dumps(about))
        return read_run(tmp_path)

    return make_run


def spread(n):
    """Certainties without ties, from high to low."""
    return np.linspace(0.99, 0.6, n).round(3).tolist()


def test_trust_heading_sets_the_share_of_those_kept_beside_that_of_all(make):
    helps = findings.trust_heading(make(["cat"] * 40, spread(40), ["cat"] * 36 + ["dog"] * 4))
    assert helps == "97.3% right among the 37 most certain, 90.0% among all 40"
    partly = findings.trust_heading(make(["cat"] * 40, spread(40), [*["cat"] * 36, *["dog"] * 3, None]))
    assert partly == "97.3% right among the 37 most certain, 92.3% among all 40, where truth is known"
    every = findings.trust_heading(make(["cat"] * 40, spread(40), ["dog", *["cat"] * 39]))
    assert every == "97.5% right among all 40"


def test_trust_heading_says_that_no_certainty_reaches_the_share(make):
    run = make(["cat"] * 40, spread(40), ["cat", "dog"] * 20)
    assert findings.trust_heading(run) == "No certainty gives 95% right; the most is 52.4%"


def test_trust_heading_without_error_names_what_is_still_possible(make):
    every = findings.trust_heading(make(["cat"] * 20, spread(20), ["cat"] * 20))
    assert every.startswith("No error among 20 images;")
    assert every.endswith("16.1%")
    partly = make(["cat"] * 20, spread(20), ["cat"] * 10 + [None] * 10)
    assert findings.trust_heading(partly).startswith("No error among 10 images with truth;")


def test_trust_heading_without_truth_gives_the_ends_of_the_certainty(make):
    unmeasured = "Not measured: certainty "
    assert findings.trust_heading(make(["cat"] * 20, spread(20))) == unmeasured + "runs from 0.990 down to 0.600"
    few = make(["cat"] * 20, spread(20), ["dog", *[None] * 19])
    assert findings.trust_heading(few) == unmeasured + "runs from 0.990 down to 0.600"
    for certainties in ([0.9] * 20, [0.9]):
        run = make(["cat"] * len(certainties), certainties)
        assert findings.trust_heading(run) == f"{unmeasured}is 0.900 for all"


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (["cat"] * 36 + ["dog"] * 4, "For 95% right, keep the 37 with a certainty of 0.630 or more."),
        (["cat"] * 39 + ["dog"], "For 99% right, keep the 39 with a certainty of 0.610 or more."),
        (["dog"] + ["cat"] * 39, "All labels together reach 95%."),
        (["cat"] * 40, "All labels together reach 99%."),
        (["cat", "dog"] * 20, "No threshold gives 95% right."),
        (["dog"] * 40, "No threshold gives 95% right."),
        (["cat"] * 19 + [None] * 21, None),
        (None, None),
    ],
)
def test_a_threshold_is_offered_for_a_share_right_or_none(make, truth, said):
    found = findings.threshold(make(["cat"] * 40, spread(40), truth))
    assert found == said or (said is None and "was not measured" in found)


@pytest.mark.parametrize(
    ("right", "alone", "grade", "said"),
    [
        (100, 90, "good", "can be used as they are"),
        (100, 100, "usable", "the given labels alone are as good"),
        (85, 80, "usable", "Use the 89 most certain, and check the other 11 first."),
        (85, 90, "usable", "Use the 89 most certain, and check the other 11 first."),
        (None, None, "not measured", "Measure first."),
    ],
)
def test_the_next_step_follows_the_verdict(make, right, alone, grade, said):
    truth = None if right is None else ["cat"] * right + ["dog"] * (100 - right)
    run = make(["cat"] * 100, np.linspace(0.99, 0.5, 100).tolist(), truth)
    if right is not None:
        run = replace(
            run, metrics={"unlabeled": {"n": 100, "accuracy": right / 100}, "baseline": {"unlabeled": alone / 100}}
        )
    assert run.verdict.grade == grade
    assert said in findings.next_step(run)


def test_bands_heading_counts_the_errors_of_the_least_certain(make):
    def said(certainties, truth=None):
        return findings.bands_heading(make(["cat"] * len(certainties), certainties, truth).trust, "image")

    assert said(spread(40), ["cat"] * 38 + ["dog"] * 2) == "2 of 2 errors among the 10 least certain"
    assert said(spread(40), ["dog"] * 2 + ["cat"] * 38) == "0 of 2 errors among the 10 least certain"
    assert said(spread(40), ["dog"] + ["cat"] * 39) == "0 of 1 error among the 10 least certain"
    assert said([0.97]) == "Half of 1 image at 0.970 or above"
    assert said([0.9, 0.8, 0.7]) == "Half of 3 images at 0.800 or above"
    assert said([]) == ""


def test_map_heading_counts_kept_errors_among_rows_of_the_same_label(make):
    labels, truth = ["cat"] * 10 + ["dog"] * 10, ["cat"] * 10 + ["cat"] + ["dog"] * 9  # 95% right: all are kept
    grouped = [(0, 0), (9, 9)] + [(0.1 * k, 0) for k in range(10)] + [(9 + 0.1 * k, 9) for k in range(10)]
    run = make(labels, spread(20), truth, places=grouped)
    assert firm_errors(run) == 1
    assert findings.map_heading(run) == "1 error, 1 of them kept and among images with the same label"
    last = make(
        ["cat"] * 10 + ["dog"] * 12,
        spread(22),
        ["cat"] * 10 + ["dog"] * 10 + ["cat"] * 2,
        places=[*grouped, (10, 9), (10.1, 9)],
    )
    assert (last.trust.kept, firm_errors(last)) == (21, 1), "the last one is not kept"
    alternating = ["cat", "dog"] * 10
    mixed = [(-1, 0), (20, 0), *((k, 0) for k in range(20))]
    assert firm_errors(make(alternating, spread(20), ["dog", "cat"] * 10, places=mixed)) == 0
    assert firm_errors(make(labels, spread(20), truth)) == 0, "without a map"


def test_map_heading_where_nothing_is_kept_for_sure_or_known(make):
    assert findings.map_heading(make(["cat"] * 40, spread(40), ["dog"] * 40)) == "40 of 40 images wrong"
    assert findings.map_heading(make(["cat"] * 40, spread(40))) == "Where the images lie"


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (None, "40 images, the least certain first"),
        (["cat"] * 40, "The least certain: 10 images, 0 of them wrong"),
        (["cat"] * 38 + ["dog"] * 2, "The least certain: 10 images, 2 of them wrong"),
        (["cat"] * 30 + [*[None] * 9, "dog"], "The least certain: 10 images, 1 of the 1 with truth wrong"),
        (["cat"] * 30 + [None] * 10, "40 images, the least certain first"),
    ],
)
def test_check_heading(make, truth, said):
    assert findings.check_heading(make(["cat"] * 40, spread(40), truth)) == said


def test_the_sentence_that_stands_for_nothing_to_check(make):
    assert "the label you gave" in findings.nothing_to_check(make([], []))
    assert "No image" in findings.nothing_to_check(make([None], [0.0]))
    assert findings.nothing_to_check(make(["cat"] * 3, [1.0] * 3)).endswith("the lowest certainty, 1.")
    assert findings.nothing_to_check(make(["cat"] * 5, [0.9] + [0.4] * 4)).endswith("the lowest certainty, 0.400.")
    assert findings.nothing_to_check(make(["cat"] * 40, spread(40))) == ""


def test_classes_heading_names_one_class_only_where_chance_does_not_explain_it(make):
    truth = ["cat"] * 100 + ["owl"] * 30 + ["dog"] * 70
    run = make(["cat"] * 100 + ["dog"] * 100, spread(200), truth)
    assert findings.classes_heading(Classes(run)) == "The weakest label is dog: 30 of 100 wrong"
    sizes = "Labels handed out: 0 to 10 in each of 3 classes, none in 1"
    slight = make(["cat"] * 10 + ["dog"] * 10, spread(20), ["cat"] * 10 + ["owl"] + ["dog"] * 9)
    assert findings.classes_heading(Classes(slight)) == sizes
    tied = make(["cat"] * 10 + ["dog"] * 10, spread(20), ["owl"] + ["cat"] * 9 + ["owl"] + ["dog"] * 9)
    assert findings.classes_heading(Classes(tied)) == sizes


def test_classes_heading_without_truth(make):
    run = make(["cat"] * 3 + ["dog"] * 5 + ["owl"] * 4, spread(12))
    assert findings.classes_heading(Classes(run)) == "Labels handed out: 3 to 5 in each of 3 classes"
    assert findings.classes_heading(Classes(make([None], [0.0]))) == "No label was handed out"
    one = make(["cat"] * 3, spread(3), classes=("cat",))
    assert findings.classes_heading(Classes(one)) == "One class cannot be tested against anything"


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([(0, 1, 1)], "1 of 1 error: 7 taken for 2"),
        ([(0, 1, 12), (2, 0, 8)], "12 of 20 errors: 7 taken for 2"),
        ([(0, 1, 4), (2, 0, 4), (1, 2, 1)], "9 errors of 3 kinds, none commonest"),
        ([(0, 1, 1), (2, 0, 1)], "2 errors of 2 kinds, none commonest"),
    ],
)
def test_confusion_heading(counts, said):
    found = [Confusion(truth, label, n, 100) for truth, label, n in counts]
    assert findings.confusion_heading(found, ("7", "2", "9")) == said


def test_more_labels_are_advised_only_for_a_confusion_that_stands_out(make):
    found = Classes(make(["cat"] * 40, spread(40), ["owl"] * 3 + ["cat"] * 37)).to_label
    assert (found.truth, found.label, found.count) == (2, 0, 3)
    assert Classes(make(["cat"] * 40, spread(40), ["owl"] * 2 + ["cat"] * 38)).to_label is None, "too few"
    tied = make(["cat"] * 40, spread(40), ["owl"] * 3 + ["dog"] * 3 + ["cat"] * 34)
    assert Classes(tied).to_label is None
    assert Classes(make(["cat"] * 40, spread(40))).to_label is None


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ("unlabeled", "9 errors with the unlabeled texts, 5 without"),
        ("test", "9 errors with the unlabeled texts, 5 without on the test set"),
        ("hidden", "By estimate: 91 of 100 hidden labels found, 95 with the labels alone"),
    ],
)
def test_gain_heading(examples, said):
    ways = Way("This run", "", Share(91, 100)), Way("Labels only", "", Share(95, 100))
    assert findings.gain_heading(Comparison(examples, 100, ways), "text") == said
    assert findings.gain_heading(Comparison(examples, 100, ways[:1]), "text") == ""
    assert findings.gain_heading(None, "text") == ""


def test_curve_heading_gives_the_ends_this_runs_first():
    named = (
        NamedCurve("labels only", Curve((1, 9), (0.5, 0.8))),
        NamedCurve("this run", Curve((9,), (0.9,)), own=True),
    )
    assert (
        findings.curve_heading("Share right", named, "{:.1f}".format) == "Share right: 0.9 this run, 0.8 labels only"
    )
    alone = NamedCurve("labels only", Curve()), named[1]
    assert findings.curve_heading("Share right", alone, "{:.1f}".format) == "Share right: 0.9 this run"
