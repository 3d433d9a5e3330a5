"""Every state of the page: its numbers are those of the run's tables, its sections those it has data for."""

from __future__ import annotations

import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest

from labelprop.evaluation.verdict import judge
from report.pages import said
from report.states import STATES

ALWAYS = {"trust", "map", "check", "classes", "run"}
UNMEASURED = "Not measured"


def columns(folder):
    """labels.parquet and evidence.parquet as arrays by name; None is ""."""
    tables = [pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("labels", "evidence")]
    both = {name: [value or "" for value in values] for table in tables for name, values in table.items()}
    return {name: np.array(both[name]) for name in ("label", "source", "truth")}


def paragraphs(words):
    """The headline and the four paragraphs under it."""
    found = [re.search(r"^h1: (.*)$", words, re.M)[1]]
    summary = words[: words.index("\nh2: ")]
    return found + re.findall(r"^dd: (.*)$", summary, re.M)


@pytest.fixture
def made(pages):
    """By state: the folder of the run and its page."""

    def page(state):
        path = pages(state)
        return path.parent, path.read_text(encoding="utf-8")

    return page


@pytest.mark.parametrize("state", STATES)
def test_the_summary_counts_what_the_tables_hold(made, state):
    folder, page = made(state)
    found = columns(folder)
    given_N, reached_N = found["source"] == "given", found["label"] != ""
    pool_N = ~given_N & reached_N
    known_N = pool_N & (found["truth"] != "")
    n, known = int(pool_N.sum()), int(known_N.sum())
    wrong = int((known_N & (found["truth"] != found["label"])).sum())
    headline, gave, got, trust, step = paragraphs(said(page))
    assert f"{given_N.sum():,} labeled" in gave
    assert f"{(~given_N).sum():,} without a label" in gave
    assert ("truth for" in gave) == bool(known)
    assert f"truth for {known:,}" in gave or not known
    assert not n or f"{n:,}" in headline + got
    unreached = int((~reached_N).sum())
    assert (f"The other {unreached:,} got none" in got) == bool(unreached)
    if not n:
        assert UNMEASURED not in trust
        assert "run again" in step
    elif not known:
        measured = json.loads((folder / "metrics.json").read_text())
        assert "--truth" in step
        assert '<code class="nowrap">--truth</code>' in page
        assert (UNMEASURED in trust) == headline.startswith(UNMEASURED) == (judge(measured).grade == "not measured")
        assert "%" not in headline or "hidden" in headline or "test" in headline
    else:
        interval = binomtest(known - wrong, known).proportion_ci(method="wilson")
        assert trust.startswith(f"{wrong:,} of {known:,}")
        for end in interval:
            assert f"{100 * end:.1f}%" in trust or end in (0, 1)
        share = 100 * (known - wrong) / known
        assert (f"{share:.1f}%" in headline) == (0 < share < 100)


@pytest.mark.parametrize("state", STATES)
def test_the_page_has_the_sections_it_has_data_for(made, state):
    spec, (_, page) = STATES[state], made(state)
    sections = set(re.findall(r'<section id="(\w+)"', page))
    train = spec.verb == "train"
    expected = ALWAYS | ({"training"} if train else {"compared"} if spec.compared else set())
    assert sections == expected | ({"embedding"} if spec.analyses else set())
    assert sections <= set(re.findall(r'href="#(\w+)"', page)), "each has its link"
    assert all(words.split(":", 1)[1].strip() for words in said(page).splitlines()), "no heading is empty"


def of_state(made, state):
    return said(made(state)[1])


def test_one_class_is_not_tested(made):
    for state in ("one_class", "one_class_truth"):
        assert "h2: One class cannot be tested against anything" in of_state(made, state)
        assert 'class="cm' not in made(state)[1]


def test_truth_of_some_rows_is_told_with_every_share(made):
    words = of_state(made, "some_truth")
    known = re.search(r"truth for (\d+)", words)[1]
    assert f"of the {known} images with truth" in paragraphs(words)[0]
    assert f"of {known} with truth" in paragraphs(words)[3]
    assert re.search(r"kept \([\d.]+%\), [\d.]+% of the \d+ with truth right", words)
    assert re.search(r"h2: The least certain: 25 images, \d of the \d+ with truth wrong", words)


def test_no_error_names_what_the_interval_still_allows(made):
    folder, page = made("no_error")
    known = int((columns(folder)["truth"] != "").sum())
    most = 1 - binomtest(known, known).proportion_ci(method="wilson").low
    assert f"No error among {known} images; the interval still allows up to {100 * most:.1f}%" in said(page)
    assert "no label was taken for another" in page


def test_a_test_set_is_told_where_nothing_was_left_to_label(made):
    assert "On your 200 test examples: 96.0% right" in paragraphs(of_state(made, "all_given_test"))[2]


def test_nothing_to_check_is_one_sentence(made):
    assert "share the lowest certainty, 1." in of_state(made, "nothing_to_check")
    assert "Every image carries the label you gave." in of_state(made, "all_given")
    assert 'id="checks"' not in made("nothing_to_check")[1] + made("all_given")[1]


def test_a_weak_run_says_so_first_and_what_to_do_before_anything_else(made):
    folder, page = made("weak")
    headline, *_, step = paragraphs(said(page))
    right = json.loads((folder / "metrics.json").read_text())["unlabeled"]["accuracy"]
    assert right == pytest.approx(0.28, abs=0.06)
    assert headline.startswith(f"Weak: {100 * right:.1f}% right, measured")
    assert re.search(r"label more.*pretrained.*another recipe", step)
    assert page.count("by no threshold</span>") == 3
    assert "Weak" not in of_state(made, "truth")


def test_analyses_stand_in_a_closed_part(made):
    page = made("analyses")[1]
    section = page[page.index('<section id="embedding"') : page.index('<section id="run"')]
    inside = section[section.index("<details") :]
    assert "<details open" not in section
    for name in ("Aggregation", "density", "multidimensional", "<svg"):
        assert name in inside
        assert name not in section[: section.index("<details")]


def test_the_table_of_confusions_has_a_cue_for_narrow_pages(made):
    assert re.search(
        r'<p class="cue" hidden>.*10 columns.*\n<div class="wide" tabindex="0" role="region"', made("truth")[1]
    )


def test_hidden_labels_are_an_estimate_and_warn(made):
    words = of_state(made, "propagated_no_truth")
    assert "Of the 50 labels you gave, each hidden once, this run finds 41, the other given labels alone 46" in words
    assert "propagation may not pay here" in words
    assert "h2: By estimate: 41 of 50 hidden labels found, 46 with the labels alone" in words


def test_simpler_ways_are_compared_in_summary_heading_and_figure(made):
    words = of_state(made, "truth")
    assert "34 errors among the 500 with truth, against 51 from the same network on the 100 given images" in words
    assert "h2: 34 errors with the unlabeled images, 51 without" in words
    assert "On your 200 test examples: 96.0% right (95% interval 92.3% to 98.0%)" in words
    words = of_state(made, "unreached")
    assert "33 errors and missing labels among the 288 with truth" in words, "13 errors, 20 not reached"
    assert "Those without a label count as wrong" in words


def test_more_rows_than_are_shown_and_skipped_files_are_told(made):
    words = of_state(made, "many_rows")
    assert "The map and the table hold 300 of 400 images" in words
    assert "300 of 400 images shown" in words
    assert "2 files could not be read" in words
    assert "No file was skipped" in of_state(made, "truth")


def test_a_run_of_phases_names_them_with_their_epochs(made):
    page = made("truth")[1]
    assert "Phases: supervised, epoch 1 to 6; dlp, epoch 7 to 24." in page
    assert page.count(">dlp starts</text>") == 2


def test_analyses_state_first_and_last_numbers(made):
    words = of_state(made, "analyses")
    for heading in (
        "h3: Aggregation of the classes: 0.29 at first, 0.86 at last",
        "h3: Aggregation: 0.86 this run, 0.50 labels only",
        "h3: Nearest neighbor alike: 95.0% this run, 74.0% labels only",
        "h3: Pseudo-labels right: 90.0% by count, 95.0% by weight",
        "h3: Correlation: 0.40 this run",
        "h3: 5 classes during training",
    ):
        assert heading in words
    assert "h3: 0 has no clear sub-groups" in words
