"""The verdict in words: what comes first, and what is advised to whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labelprop.evaluation.verdict import Verdict
from labelprop.report.say.verdict import Asked, fewer_neighbors, headline, last_line, remedies
from labelprop.runs.summary import pays_not

ASKED = Asked("train", "dlp", backbone=False, noun="image", given="5 in each of 10 classes")


@pytest.mark.parametrize(
    ("verdict", "unlabeled", "labeled", "first", "second"),
    [
        (Verdict("not measured"), 0, 0, "2 images, all with the label you gave.", "Nothing was left to label."),
        (Verdict("weak", "hidden", 1, 40), 2, 0, "0 of 2 images labeled from 2.", ""),
        (
            Verdict("good", "unlabeled", 99, 100),
            100,
            100,
            "Good: 99.0% right, measured.",
            "100 images labeled from 2.",
        ),
        (Verdict("weak", "unlabeled", 0, 1), 1, 1, "Weak: 0% right, measured.", "1 image labeled from 2."),
        (
            Verdict("weak", "unlabeled", 20, 100),
            100,
            90,
            "Weak: 20.0% of the 100 images with truth right, measured.",
            "90 of 100 images labeled from 2.",
        ),
        (
            Verdict("weak", "unlabeled", 596, 1000, simpler=608),
            1000,
            1000,
            "Weak: 59.6% right, measured; no better than the given labels alone (60.8%).",
            "1,000 images labeled from 2.",
        ),
        (
            Verdict("usable", "hidden", 45, 50),
            9,
            9,
            "Usable: 90.0% of 50 hidden labels right, estimated.",
            "9 images labeled from 2.",
        ),
        (
            Verdict("usable", "test", 45, 50),
            9,
            9,
            "Usable: 90.0% of the 50 test examples right, measured.",
            "9 images labeled from 2.",
        ),
        (Verdict("not measured"), 9, 9, "Not measured.", "Label 9 images to learn how many are right."),
        (
            Verdict("not measured", "unlabeled", 3, 3),
            900,
            900,
            "Not measured: 3 of 3 right are too few to tell.",
            "Label 100 images drawn at random to learn how many are right.",
        ),
    ],
)
def test_headline(verdict: Verdict, unlabeled: int, labeled: int, first: str, second: str) -> None:
    assert headline(verdict, "image", unlabeled, labeled, given=2) == (first, second)


@pytest.mark.parametrize(
    ("changed", "flags"),
    [
        ({}, ["", "--backbone", "--recipe auto"]),
        ({"method": "auto"}, ["", "--backbone"]),
        ({"verb": "propagate", "method": "diffusion"}, ["", "--backbone", "--method auto"]),
        ({"verb": "propagate", "method": "auto"}, ["", "--backbone", "labelprop train"]),
        ({"noun": "example"}, ["", "", "--recipe auto"]),
        ({"noun": "example", "backbone": True}, ["", "--backbone", "--recipe auto"]),
    ],
)
def test_more_labels_come_first_and_what_was_asked_is_not_advised(changed: dict[str, str], flags: list[str]) -> None:
    found = remedies(replace(ASKED, **changed), Verdict("weak", "unlabeled", 28, 100))
    assert [flag for _, flag in found] == flags
    assert found[0][0].startswith("label more")


@pytest.mark.parametrize(
    ("verb", "method", "way", "flag"),
    [
        ("propagate", "diffusion", "nearest_label", "--method auto"),
        ("propagate", "auto", "nearest_label", "--method weighted-knn --n-neighbors 1"),
        ("propagate", "auto", "baseline", "labelprop train"),
        ("train", "dlp", "baseline", "--recipe auto"),
        ("train", "auto", "baseline", "--recipe supervised"),
        ("train", "auto", "propagation_only", "labelprop propagate"),
    ],
)
def test_where_a_simpler_way_is_ahead_the_method_is_to_change_first(verb, method, way, flag) -> None:
    asked = replace(ASKED, verb=verb, method=method, n_neighbors=10)
    weak = Verdict("weak", "hidden", 14, 70, simpler=68, ahead=(way, 68))
    flags = [flag for _, flag in remedies(asked, weak)]
    assert flags[:3] == [flag, "--n-neighbors 10", ""]
    assert len(set(flags)) == len(flags), "nothing twice"
    assert f"({flag})" in pays_not(weak, asked, method)[0], "the warning and the verdict agree"
    assert pays_not(replace(weak, ahead=None), asked, method) == []


@pytest.mark.parametrize(
    ("method", "k", "n", "n_classes", "advised"),
    [
        ("diffusion", 50, 150, 10, 10),
        ("diffusion", 50, 60, 10, 6),
        ("diffusion", 50, 10_000, 10, 0),
        ("poisson", 10, 150, 10, 0),
        ("auto", 50, 150, 10, 0),
        ("local", 50, 150, 10, 0),
        ("line", None, 150, 10, 0),
        ("poisson", 1, 3, 10, 0),
    ],
)
def test_fewer_neighbors_than_a_class_has_examples_are_advised(method, k, n, n_classes, advised) -> None:
    assert fewer_neighbors(method, k, n, n_classes) == advised


def test_the_last_line_of_a_command_begins_with_the_verdict() -> None:
    weak = last_line(Verdict("weak", "unlabeled", 28, 100), ASKED, 100)
    assert weak.startswith("weak: 28.0% of 100 images with a truth right, measured")
    assert weak.index("label more") < weak.index("--backbone") < weak.index("--recipe auto")
    good = last_line(Verdict("good", "unlabeled", 97, 100, simpler=90), ASKED, 100)
    assert good.startswith("good: 97.0%")
    assert "--recipe" not in good
    assert "91.5% to 99.0%" in good
    tied = last_line(Verdict("usable", "hidden", 97, 100, simpler=98), ASKED, 100)
    assert "estimated" in tied
    assert tied.endswith("(98.0%).")
    weak = last_line(Verdict("weak", "unlabeled", 596, 1000, simpler=608), ASKED, 1000)
    assert weak.index("(60.8%)") < weak.index("label more")
    unknown = last_line(Verdict("not measured"), ASKED, 500)
    assert unknown.startswith("not measured")
    assert "Label 100 images drawn at random" in unknown
    assert "--truth" in unknown
