from dataclasses import replace

import pytest

from labelprop.report.gather.finished_run import read_run
from labelprop.report.say import facts
from report.synthetic import Spec, write_run


@pytest.fixture
def run(tmp_path):
    return read_run(write_run(tmp_path, Spec(n=40)))


def test_no_path_of_the_machine_in_command_and_settings():
    command = "labelprop train '/home/ann lee/photos' --labels=/data/l.csv --cache ~/x/cache --out runs/photos"
    assert facts.command_without_paths(command) == (
        "labelprop train photos --labels=l.csv --cache cache --out runs/photos"
    )
    assert facts.plain_value({"backbone": "/models/clip", "k": 3}) == "backbone clip, k 3"
    assert facts.plain_value(r"C:\Users\ann\photos") == "photos"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        (True, "yes"),
        (False, "no"),
        (0.05, "0.05"),
        (1e-06, "1e-06"),
        ([1, 2], "1, 2"),
        ([], "none"),
    ],
)
def test_settings_in_words(value, text):
    assert facts.plain_value(value) == text


def test_dates():
    assert facts.day("2026-11-20T13:00:00+00:00") == "20 November 2026"
    assert facts.day("") == ""


def test_the_next_command_adds_the_corrections_and_takes_another_folder(run):
    again = replace(run, command="labelprop train digits --labels old.csv --out runs/a --recipe dlp --overwrite")
    assert facts.again(again) == (
        "labelprop train digits --labels old.csv --recipe dlp --labels CORRECTIONS.csv --out runs/a-2"
    )
    assert facts.again(replace(run, command="labelprop demo")) == ""


def test_long_lists_of_skipped_files_are_cut(run):
    skipped = [{"id": f"{k}.png", "reason": "empty"} for k in range(130)]
    listed = facts.skipped(replace(run, skipped=skipped))
    assert len(listed) == 101
    assert listed[-1] == ("", "and 30 more files in run.json")


def test_skipped_folders_say_how_many_files_and_count_apart_from_what_cannot_be_read(run):
    skipped = [{"id": "a.heic", "reason": "no reader", "kind": "unreadable", "files": 1}]
    skipped += [{"id": "@eaDir/", "reason": "hidden", "kind": "system", "files": 3}]
    skipped += [{"id": "old.png", "reason": "empty"}]  # as version 0.1.0 lists it
    found = replace(run, skipped=skipped)
    assert facts.skipped(found)[1] == ("@eaDir/", "hidden (3 files)")
    assert found.n_unreadable == 2
