from pathlib import Path

import pytest

from labelprop.report.gather.comparison import Comparison, Rival, comparison_heading, comparisons
from labelprop.report.gather.numbers import Share
from labelprop.report.gather.page import read_run
from report.synthetic import Spec, write_run


def test_comparisons_count_the_same_examples(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=400, test=100, baseline_errors=50)))
    unlabeled, test = comparisons(run)
    assert [rival.name for rival in unlabeled.rivals] == ["This run", "Labels only", "Propagation only"]
    assert unlabeled.own == run.trust.all
    assert unlabeled.labels_only.wrong == 50
    assert (test.n, test.own.wrong, test.labels_only.wrong) == (100, 4, 6)


def test_nothing_is_compared_without_truth_or_baseline(tmp_path: Path):
    assert comparisons(read_run(write_run(tmp_path / "a", Spec(n=60, truth=0)))) == ()
    assert comparisons(read_run(write_run(tmp_path / "b", Spec(n=60, verb="propagate", compared=False)))) == ()


def test_the_best_of_the_simple_ways_counts():
    rivals = tuple(
        Rival(name, "", Share(right, 50), own=name == "own", simple=name != "own")
        for name, right in (("own", 40), ("Labels only", 41), ("Nearest label", 43))
    )
    assert Comparison("unlabeled", 50, rivals).simplest.name == "Nearest label"
    assert Comparison("unlabeled", 50, rivals[:1]).simplest is None


def test_a_propagation_is_compared_with_what_the_labels_alone_say(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=300, kind="vector", verb="propagate", unreached=20, baseline_errors=4)))
    (measured,) = comparisons(run)
    assert [rival.name for rival in measured.rivals] == ["This run", "Labels only", "Nearest label"]
    assert measured.rivals[1].note == "a logistic regression on the 30 given examples"
    assert measured.own.wrong == run.trust.all.wrong + 20, "examples that were not reached are not right"
    assert (measured.n, measured.labels_only.wrong) == (270, 4)


def test_hidden_labels_stand_in_for_the_truth(tmp_path: Path):
    spec = Spec(n=300, kind="vector", verb="propagate", truth=0, given=5, hidden=(41, 46, 37))
    (estimated,) = comparisons(read_run(write_run(tmp_path, spec)))
    assert estimated.examples == "hidden"
    assert [rival.share for rival in estimated.rivals] == [Share(41, 50), Share(46, 50), Share(37, 50)]


def compared(own, only, n=100, examples="unlabeled"):
    rivals = (
        Rival("This run", "", Share(n - own, n), own=True),
        Rival("Labels only", "", Share(n - only, n), simple=True),
    )
    return Comparison(examples, n, rivals)


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (None, "How far simpler ways agree"),
        (compared(40, 57), "The unlabeled texts removed 17 of 57 errors"),
        (compared(9, 5), "The labels alone do better: 5 errors against 9"),
        (compared(4, 9, 30, "hidden"), "By estimate: 26 of 30 hidden labels found, more than the labels alone"),
        (compared(9, 4, 30, "hidden"), "By estimate: 21 of 30 hidden labels found, fewer than the labels alone"),
        (compared(1, 1, 2, "hidden"), "By estimate: 1 of 2 hidden labels found, as many as the labels alone"),
    ],
)
def test_comparison_heading(comparison, said):
    assert comparison_heading(comparison, "text") == said
