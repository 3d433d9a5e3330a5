"""Every heading at its edges: none, one, all, ties."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.report.gather.classes import Classes, Pair
from labelprop.report.gather.comparison import Comparison, Rival
from labelprop.report.gather.numbers import Share
from labelprop.report.gather.page import read_run
from labelprop.report.gather.training import Curve, Phase
from labelprop.report.say import findings, summary
from labelprop.report.words import plain


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


# -- headline ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "truth", "said"),
    [
        ([], None, ("All 2 images carry the label you gave.", "Nothing was left to label.")),
        ([None, None], None, ("None of 2 images could be labeled from 2.", "")),
        (["cat"], ["cat"], ("1 image labeled from 2.", "It is right.")),
        (["cat"], ["dog"], ("1 image labeled from 2.", "It is wrong.")),
        (["cat"], None, ("1 image labeled from 2.", "")),
        (["cat", "dog", None], None, ("2 of 3 images labeled from 2.", "1 of them wants a second look.")),
        (["cat"] * 40, None, ("40 images labeled from 2.", "2 of them want a second look.")),
        (
            ["cat"] * 4,
            ["cat", "dog", None, None],
            ("4 images labeled from 2.", "50.0% of the 2 with truth are right."),
        ),
        (["cat"] * 4, ["cat", None, None, None], ("4 images labeled from 2.", "100% of the 1 with truth is right.")),
    ],
)
def test_headline(make, labels, truth, said):
    assert findings.headline(make(labels, spread(len(labels)), truth)) == said


def test_headline_without_given_labels(make):
    assert findings.headline(make(["cat", "dog"], [0.9, 0.8], given=0))[0] == "2 images labeled."


# -- trust ---------------------------------------------------------------------------------------------------


def test_trust_heading_where_leaving_out_helps(make):
    run = make(["cat"] * 20, spread(20), ["cat"] * 19 + ["dog"])
    assert findings.trust_heading(run) == "Leave out 1 image and 100% of the rest are right"


def test_trust_heading_where_it_does_not_help(make):
    run = make(["cat"] * 20, spread(20), ["dog"] + ["cat"] * 19)
    assert findings.trust_heading(run) == "Leaving out the least certain does not help: 94.7% of the rest are right"


def test_trust_heading_without_error_names_what_is_still_possible(make):
    run = make(["cat"] * 20, spread(20), ["cat"] * 20)
    assert findings.trust_heading(run) == "No error among 20 images; the interval still allows up to 16.1%"
    partly = make(["cat"] * 20, spread(20), ["cat"] * 10 + [None] * 10)
    assert findings.trust_heading(partly).startswith("No error among 10 images with truth;")


def test_trust_heading_without_truth(make):
    steep = make(["cat"] * 20, [0.99 - 0.001 * k for k in range(19)] + [0.4])
    assert findings.trust_heading(steep) == "Certainty stays high, then drops over the last image"
    assert findings.trust_heading(make(["cat"] * 20, spread(20))) == "Certainty runs from 0.990 down to 0.600"
    assert findings.trust_heading(make(["cat"] * 20, [0.9] * 20)) == "All 20 images have the same certainty"
    assert findings.trust_heading(make(["cat"], [0.9])) == "The one image has the same certainty"
    tied = make(["cat"] * 20, [0.9] * 5 + [0.5] * 15)
    assert findings.trust_heading(tied) == "The certainty does not tell the doubtful apart"


def test_bands_heading(make):
    truth = ["cat"] * 38 + ["dog"] * 2
    crowded = make(["cat"] * 40, [0.99] * 36 + [0.7] * 4, truth)
    assert findings.bands_heading(crowded) == "Below 0.98 lie 4 images and 2 of the 2 errors"
    even = make(["cat"] * 40, [0.99] * 36 + [0.7] * 4, ["dog"] * 2 + ["cat"] * 38)
    assert findings.bands_heading(even) == "36 of 40 images lie at 0.98 or above"
    assert findings.bands_heading(make(["cat"], [0.99])) == "The one image lies at 0.98 or above"
    assert findings.bands_heading(make(["cat"] * 4, [0.3] * 4)) == "4 of 4 images lie below 0.60"


# -- map and checks ------------------------------------------------------------------------------------------


def test_map_heading_counts_firm_errors_only_where_there_are_groups(make):
    labels, truth = ["cat"] * 10 + ["dog"] * 10, ["cat"] * 10 + ["cat"] + ["dog"] * 9
    grouped = [(0, 0), (9, 9)] + [(0.1 * k, 0) for k in range(10)] + [(9 + 0.1 * k, 9) for k in range(10)]
    run = make(labels, spread(20), truth, places=grouped)
    assert findings.map_heading(run) == "Two groups; 1 error sits firmly in a wrong one"
    mixed = [(0, 0), (20, 0), *((7 * k % 20, 0) for k in range(20))]
    assert findings.map_heading(make(labels, spread(20), truth, places=mixed)) == "Where the one error lies"


def test_map_heading_without_truth(make):
    assert findings.map_heading(make(["cat"] * 40, spread(40))) == "The 2 images to check, and where they lie"
    assert findings.map_heading(make(["cat"] * 10, spread(10))) == "The image to check, and where it lies"
    assert findings.map_heading(make(["cat"] * 10, [0.9] * 10)) == "Where the images lie"


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        (None, "The 2 least certain, to look at first"),
        (["cat"] * 40, "None of the 2 least certain is wrong"),
        (["cat"] * 39 + ["dog"], "1 of the 2 least certain is wrong"),
        (["cat"] * 38 + ["dog"] * 2, "All of the 2 least certain are wrong"),
        (["cat"] * 38 + [None, "dog"], "The least certain with truth is wrong"),
        (["cat"] * 38 + [None, None], "The 2 least certain, to look at first"),
    ],
)
def test_check_heading(make, truth, said):
    assert findings.check_heading(make(["cat"] * 40, spread(40), truth)) == said


def test_the_sentence_that_stands_for_nothing_to_check(make):
    assert findings.nothing_to_check(make([], [])) == "Every image carries the label you gave."
    assert findings.nothing_to_check(make([None], [0.0])) == "No image got a label."
    assert findings.nothing_to_check(make(["cat"] * 3, [1.0] * 3)) == "All 3 images labeled have certainty 1."
    tied = make(["cat"] * 5, [0.9] + [0.4] * 4)
    assert findings.nothing_to_check(tied) == "More than half of the labels share the lowest certainty."


# -- classes -------------------------------------------------------------------------------------------------


def test_classes_heading_names_one_class_only_where_chance_does_not_explain_it(make):
    truth = ["cat"] * 100 + ["owl"] * 30 + ["dog"] * 70
    run = make(["cat"] * 100 + ["dog"] * 100, spread(200), truth)
    assert findings.classes_heading(Classes(run)) == "dog is the weakest label: 30 of 100 are wrong"
    slight = make(["cat"] * 10 + ["dog"] * 10, spread(20), ["cat"] * 10 + ["owl"] + ["dog"] * 9)
    assert findings.classes_heading(Classes(slight)) == "From 90.0% to 100% are right, by class"
    tied = make(["cat"] * 10 + ["dog"] * 10, spread(20), ["owl"] + ["cat"] * 9 + ["owl"] + ["dog"] * 9)
    assert findings.classes_heading(Classes(tied)) == "Each class has 10; 1 of 3 classes got none"


def test_classes_heading_without_truth(make):
    run = make(["cat"] * 3 + ["dog"] * 5, spread(8))
    assert findings.classes_heading(Classes(run)) == "Class sizes run from 3 to 5; 1 of 3 classes got none"
    assert findings.classes_heading(Classes(make(["cat"] * 3, spread(3)))) == "One class has all 3"
    assert findings.classes_heading(Classes(make([None], [0.0]))) == "Three classes, none handed out"
    one = make(["cat"] * 3, spread(3), classes=("cat",))
    assert findings.classes_heading(Classes(one)) == "One class cannot be tested against anything"


NAMES = ("7", "2", "9")


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "No label is taken for another"),
        ([(0, 1, 1)], "The one error is 7 taken for 2"),
        ([(0, 1, 5)], "All 5 errors are 7 taken for 2"),
        ([(0, 1, 12), (2, 0, 8)], "12 of the 20 errors are 7 taken for 2"),
        ([(0, 1, 4), (2, 0, 4), (1, 2, 1)], "7 taken for 2 and 9 taken for 7: 4 each of the 9 errors"),
        ([(0, 1, 1), (2, 0, 1)], "2 errors, none common"),
        ([(0, 1, 2), (0, 2, 2), (1, 0, 2), (1, 2, 2)], "8 errors of 4 kinds"),
    ],
)
def test_confusion_heading(pairs, said):
    found = tuple(Pair(truth, label, count, 100) for truth, label, count in pairs)
    assert findings.confusion_heading(found, NAMES) == said


def test_pairs_heading():
    assert findings.pairs_heading(1, pictures=True) == "The one mistake, in pictures"
    assert findings.pairs_heading(6, pictures=False) == "The six commonest mistakes, in examples"


def test_sizes(make):
    run = make(["cat"] * 4 + ["dog"] * 4, spread(8), classes=("cat", "dog"))
    assert findings.sizes(Classes(run)) == "Each class has 4"


# -- training ------------------------------------------------------------------------------------------------

PHASES = (Phase("supervised", 1, 10), Phase("dlp", 11, 40))


def compared(own, only, n=100, examples="unlabeled"):
    rivals = (
        Rival("This run", "", Share(n - own, n), own=True),
        Rival("Labels only", "", Share(n - only, n), simple=True),
    )
    return Comparison(examples, n, rivals)


@pytest.mark.parametrize(
    ("comparison", "said"),
    [
        (None, "Two phases of training"),
        (compared(40, 57), "The unlabeled images removed 17 of 57 errors"),
        (compared(0, 57), "The unlabeled images removed all 57 errors"),
        (compared(0, 1), "The unlabeled images removed the one error"),
        (compared(0, 0), "The labels alone were enough: no error with or without the rest"),
        (compared(5, 5), "No gain: 5 errors with and without the unlabeled images"),
        (compared(1, 1), "No gain: 1 error with and without the unlabeled images"),
        (compared(9, 5), "The labels alone do better: 5 errors against 9"),
        (compared(3, 5, examples="test"), "The unlabeled images removed 2 of 5 errors on the test set"),
    ],
)
def test_training_heading(comparison, said):
    assert findings.training_heading(comparison, PHASES, "image") == said


def test_accuracy_heading_credits_the_pseudo_labels_only_for_their_own_step():
    flat = Curve((10, 40), (0.90, 0.91))
    risen = Curve((10, 40), (0.90, 0.97))
    early = Curve((10, 40), (0.965, 0.97))
    assert findings.accuracy_heading(risen, flat, PHASES) == "The gain came with the pseudo-labels"
    assert findings.accuracy_heading(early, flat, PHASES) == "Share right by epoch"
    assert findings.accuracy_heading(flat, risen, PHASES) == "Share right by epoch"
    assert findings.accuracy_heading(risen, Curve((), ()), PHASES) == "Share right by epoch"


def test_loss_heading():
    settled = Curve(tuple(range(1, 21)), (2.0, 1.0, *[0.5] * 18))
    falling = Curve(tuple(range(1, 21)), tuple(2.0 - 0.1 * k for k in range(20)))
    none = Curve((), ())
    assert findings.loss_heading(settled, settled) == "Both losses have settled"
    assert findings.loss_heading(settled, none) == "The loss has settled"
    assert findings.loss_heading(settled, falling) == "Loss by epoch"
    assert findings.loss_heading(Curve((1,), (1.0,)), none) == "Loss by epoch"


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (85, 1697, "five in a hundred"),
        (1, 100, "one in a hundred"),
        (14, 268, "5.2% of all"),
        (30, 100, "30.0% of all"),
    ],
)
def test_share_in_words(part, whole, said):
    assert findings.share_in_words(part, whole) == said


# -- the sentence with the threshold, and advice -------------------------------------------------------------


def test_keep_sentence(make):
    run = make(["cat"] * 40, spread(40), ["cat"] * 39 + ["dog"])
    assert plain(summary.keep_sentence(run, run.trust.kept)) == (
        "38 of 40 images are kept (95.0%) and 100% of those are right (95% interval 90.8% to 100%). "
        "Of the 2 left to check, 1 is wrong; no wrong one stays in."
    )
    same = make(["cat"] * 2, [0.9] * 2, ["dog", "cat"])
    assert plain(summary.keep_sentence(same, 2)).endswith("(95% interval 9.5% to 90.5%). 1 wrong one stays in.")
    unknown = make(["cat"], [0.9])
    assert plain(summary.keep_sentence(unknown, 1)) == "1 of 1 image is kept (100%)."


def test_advice_names_the_commonest_confusion_only_if_it_stands_out(make):
    truth = ["owl"] * 3 + ["cat"] * 37
    run = make(["cat"] * 40, spread(40), truth)
    said = plain(summary.next_step(run, Classes(run)))
    assert "Then label a few more of class owl: 3 of them are taken for cat." in said
    assert "none of the 3 errors is among them" in said
    assert "3 errors are among those kept, where no certainty shows them" in said
    tied = make(["cat"] * 40, spread(40), ["owl"] * 3 + ["dog"] * 3 + ["cat"] * 34)
    assert "label a few more" not in plain(summary.next_step(tied, Classes(tied)))


def test_skipped_files_are_told(make):
    run = make(["cat"] * 3, spread(3))
    assert plain(summary.gave(run, Classes(run))).endswith("No file was skipped.")


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ((), "An epoch is as many steps as one pass over the unlabeled images takes."),
        ((Phase("dlp", 1, 9),), "An epoch is as many steps as one pass over the unlabeled images takes."),
        (
            (Phase("supervised", 1, 1), Phase("dlp", 2, 5)),
            "Epoch 1 is phase supervised and epochs 2 to 5 are phase dlp. Each phase has a loss of its own: one "
            "cannot be compared with another's.",
        ),
        (
            (Phase("ir", 1, 8), Phase("llp", 9, 40), Phase("rate jump", 41, 1048)),
            "Epochs 1 to 8 are phase ir, epochs 9 to 40 are phase llp and epochs 41 to 1,048 are phase rate jump. "
            "Each phase has a loss of its own: one cannot be compared with another's.",
        ),
    ],
)
def test_the_phases_are_named_with_their_epochs(phases, said: str) -> None:
    assert findings.phases_note(phases, "image") == said
