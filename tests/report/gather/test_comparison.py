from pathlib import Path

from labelprop.report.gather.comparison import Comparison, Way, comparisons
from labelprop.report.gather.finished_run import read_run
from labelprop.report.gather.numbers import Share
from report.synthetic import Spec, write_run


def test_comparisons_count_the_same_examples(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=400, test=100, baseline_errors=50)))
    unlabeled, test = comparisons(run)
    assert [way.name for way in unlabeled.ways] == ["This run", "Labels only", "Propagation only"]
    assert unlabeled.own == run.trust.all
    assert unlabeled.simplest.share.wrong == 50
    assert (test.n, test.own.wrong, test.simplest.share.wrong) == (100, 4, 6)


def test_nothing_is_compared_without_truth_or_baseline(tmp_path: Path):
    assert comparisons(read_run(write_run(tmp_path / "a", Spec(n=60, truth=0)))) == ()
    assert comparisons(read_run(write_run(tmp_path / "b", Spec(n=60, verb="propagate", compared=False)))) == ()


def test_the_best_of_the_simple_ways_counts():
    ways = tuple(
        Way(name, "", Share(right, 50))
        for name, right in (("This run", 40), ("Labels only", 41), ("Nearest label", 43))
    )
    assert Comparison("unlabeled", 50, ways).simplest.name == "Nearest label"
    assert Comparison("unlabeled", 50, ways[:1]).simplest is None


def test_a_propagation_is_compared_with_what_the_labels_alone_say(tmp_path: Path):
    run = read_run(write_run(tmp_path, Spec(n=300, kind="vector", verb="propagate", unreached=20, baseline_errors=4)))
    (measured,) = comparisons(run)
    assert [way.name for way in measured.ways] == ["This run", "Labels only", "Nearest label"]
    assert measured.ways[1].note == "a logistic regression on the 30 given examples"
    assert measured.own.wrong == run.trust.all.wrong + 20, "examples that were not reached are not right"
    assert (measured.n, measured.simplest.share.wrong) == (270, 4)


def test_hidden_labels_stand_in_for_the_truth(tmp_path: Path):
    spec = Spec(n=300, kind="vector", verb="propagate", truth=0, given=5, hidden=(41, 46, 37))
    (estimated,) = comparisons(read_run(write_run(tmp_path, spec)))
    assert estimated.examples == "hidden"
    assert [way.share for way in estimated.ways] == [Share(41, 50), Share(46, 50), Share(37, 50)]


def test_propagation_does_not_pay_where_chance_does_not_explain_it():
    def found(own, only, examples="hidden"):
        ways = Way("This run", "", Share(own, 100)), Way("Labels only", "", Share(only, 100))
        return Comparison(examples, 100, ways).does_not_pay

    assert (found(80, 86), found(80, 85), found(80, 70)) == (True, False, False), "sqrt(100) / 2 is 5"
    assert not found(80, 86, "unlabeled")
