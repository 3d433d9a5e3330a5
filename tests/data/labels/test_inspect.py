from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelprop.core.errors import DataError
from labelprop.data.labels.inspect import Finding, inspect, inspect_data
from labelprop.data.labels.join import join_labels
from labelprop.data.labels.options import LabelOptions
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns


def one(findings: tuple[Finding, ...], text: str) -> Finding:
    """The only finding that says `text`."""
    (found,) = [finding for finding in findings if text in finding.text]
    return found


def severities(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.severity for finding in findings]


def random_vectors(n: int = 20, d: int = 3) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def test_sound_data_give_notes_only() -> None:
    findings = inspect(open_samples(random_vectors()), ["a"] * 3 + ["b"] * 3 + [""] * 14)
    assert [finding.text for finding in findings] == [
        "'array': 20 vectors of 3 dimensions; 6 labeled in 2 classes, 14 unlabeled.",
        "20 rows: 20 used, 0 skipped, 0 refused.",
    ]
    assert severities(findings) == ["note", "note"]


def test_without_labels_nothing_blocks() -> None:
    findings = inspect(open_samples(random_vectors()))
    assert set(severities(findings)) == {"note"}
    assert "no example has a label yet" in findings[0].text


def test_everything_is_collected_and_blocking_comes_first() -> None:
    X = random_vectors()
    X[2, 0], X[3], X[5] = np.nan, 0, X[4]
    X[:, 1] = 7
    X[3] = 0
    X[:, 1] = 0
    labels = {"0": "a", "1": "a", "4": "a", "5": "b", "99": "b"}
    samples, findings = inspect_data(X, labels)
    assert samples is not None
    assert one(findings, "NaN or infinite numbers in 1 row: '2'").severity == "blocking"
    assert one(findings, "1 id of the labels not found").rows == ("99",)
    assert one(findings, "nothing but zeros in 1 row: '3'").severity == "warning"
    assert "1 dimension of 3 with one value throughout: 1." in one(findings, "one value throughout").text
    assert one(findings, "copies of each other").rows == ("4", "5")
    assert "'4' is 'a', '5' is 'b'" in one(findings, "copies with different labels").text
    assert not [finding for finding in findings if "one label only" in finding.text], "'99' may be the second of 'b'"
    assert findings[-1].text == "20 rows: 19 used, 0 skipped, 1 refused."
    order = severities(findings)
    assert order == sorted(order, key=["blocking", "warning", "note"].index)


def test_repeated_ids_and_broken_labels_do_not_stop_the_rest(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text,label\na,x,cat\na,y,cat\nb,y,\n")
    (tmp_path / "l.csv").write_text("name,label\na,cat\n")
    _, findings = inspect_data(tmp_path / "t.csv", tmp_path / "l.csv")
    assert one(findings, "1 id more than once: 'a' (line 2, line 3)").severity == "blocking"
    assert one(findings, "has no column 'id'").severity == "blocking"
    assert one(findings, "3 texts; how many are labeled is known once").severity == "note"
    assert not [finding for finding in findings if "all labels are" in finding.text], "LABELS may hold others"
    assert one(findings, "copies of each other").rows == ("a", "b")


def test_what_cannot_be_opened_is_one_blocking_finding(tmp_path: Path) -> None:
    assert inspect_data(tmp_path)[0] is None
    finding, accounts = inspect_data(tmp_path)[1]
    assert finding.severity == "blocking"
    assert "holds no images" in finding.text
    assert accounts.text == "0 files: 0 used, 0 skipped, 0 refused."


def test_images(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    for seed in range(6):
        put_image(tmp_path / "d" / "cat" / f"{seed}.png", (20, 20), seed=seed)
    put_image(tmp_path / "d" / "unlabelled" / "copy.png", (20, 20), seed=0)
    put_image(tmp_path / "d" / "tiny.png", (2, 2))
    put_image(tmp_path / "d" / "long.png", (200, 20))
    (tmp_path / "d" / "broken.png").write_bytes(b"")
    (tmp_path / "d" / "bird").mkdir()
    _, findings = inspect_data(tmp_path / "d")
    assert one(findings, "1 .png file cannot be read, skipped (the file is empty (0 bytes))").rows == ("broken.png",)
    assert one(findings, "('tiny.png' is 2x2)").rows == ("tiny.png",)
    assert one(findings, "('long.png' is 200x20)").rows == ("long.png",)
    assert one(findings, "copies of each other").rows == ("cat/0.png", "unlabelled/copy.png")
    assert one(findings, "no label for 1 class: 'bird'")
    assert "and name the folder 'unlabeled'" in one(findings, "may mean 'no label'").text
    assert one(findings, "images of 3 sizes (2x2 to 200x20), each").severity == "note"
    assert one(findings, "9 images of 3 sizes (2x2 to 200x20) pixels, gray").severity == "note"


@pytest.mark.parametrize(
    ("labels", "text", "rows"),
    [
        (["cat ", "cat ", "dog", "dog"], "1 class name with a space at the beginning or end: 'cat '", ("0", "1")),
        (["Cat", "cat", "dog", "dog"], "differ only in case or spaces: 'Cat', 'cat'", ("1",)),
        (["3", "3.0", "dog", "007"], "are the same number: '3', '3.0'", ("1",)),
        (["NA", "None", "dog", "dog"], "may mean 'no label': 'NA', 'None'", ("0", "1")),
        (["train", "train", "test", "test"], "look like parts of a data set", ()),
        (["a"] * 20 + ["b"], "labels are uneven: 'a' has 20, 'b' has 1", ()),
        (["a", "b"] * 20, "every example has a label", ()),
    ],
)
def test_odd_labels(labels: list[Any], text: str, rows: tuple[str, ...]) -> None:
    samples = open_samples(random_vectors(max(len(labels), 5) if len(labels) < 40 else 40))
    padded = [*labels, *[None] * (len(samples) - len(labels))]
    assert one(inspect(samples, padded), text).rows == rows


def test_a_dimension_that_dominates() -> None:
    X = random_vectors()
    X[:, 2] *= 1e6
    assert (
        "dimension 2 ranges over more than 1,000 times the usual" in one(inspect(open_samples(X)), "dimension 2").text
    )


def test_only_nan() -> None:
    _, findings = inspect_data(np.full((3, 2), np.nan))
    assert one(findings, "NaN or infinite numbers in 3 rows").severity == "blocking"


def test_long_lists_are_cut_but_counted() -> None:
    _, findings = inspect_data(np.full((500, 2), np.nan))
    found = one(findings, "NaN or infinite numbers in 500 rows: '0', '1', '2', '3', '4' and 495 more")
    assert len(found.rows) == 100


def test_columns_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,words,kind\n007,x,a\n8,y,\n")
    samples, findings = inspect_data(tmp_path / "t.csv", columns=Columns(id="name", text="words", label="kind"))
    assert samples is not None
    assert samples.ids == ("007", "8")
    assert "blocking" not in severities(findings)


@pytest.mark.parametrize("content", [None, "id,label\n77,cat\n", "id,label\n0,cat\n0,dog\n", '{"0": "cat"}'])
def test_labels_that_were_given_are_not_asked_for(tmp_path: Path, content: str | None) -> None:
    """Where they are missing, unknown, in conflict or of another kind, doctor said that nobody gave any."""
    path = tmp_path / ("l.json" if content is not None and content.startswith("{") else "l.csv")
    if content is not None:
        path.write_text(content)
    findings = inspect(open_samples(random_vectors()), path)
    assert severities(findings).count("blocking") == 1
    assert not [finding for finding in findings if "--labels" in finding.text or " 0 labeled" in finding.text]
    one(findings, "how many are labeled is known once the labels can be used")


def test_which_columns_were_taken_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("Id,class\n1,a\n2,a\n3,b\n4,b\n")
    assert one(inspect(open_samples(random_vectors()), tmp_path / "l.csv"), "labels from 'class'").severity == "note"


def test_rows_of_a_table_are_accounted_for(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    put_image(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("id,image\n1,a.png\n2,none.png\n3,b.heic\n4,a.png\n4,a.png\n")
    _, findings = inspect_data(tmp_path / "t.csv")
    assert one(findings, "1 row cannot be read, skipped (the file does not exist): '2'").rows == ("2",)
    assert one(findings, "1 row cannot be read, skipped (no reader for .heic here").rows == ("3",)
    rows = "5 rows: 1 used, 2 skipped (2 cannot be read), 2 refused"
    assert findings[-1].text == f"{rows}; 1 file: 1 used, 0 skipped, 0 refused."


def test_albums_taken_for_classes_are_said(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    names = [f"{album}/{number}.png" for album in ("2023", "2024") for number in range(3)]
    for seed, name in enumerate(names):
        put_image(tmp_path / name, seed=seed)
    _, findings = inspect_data(tmp_path, dict(zip(names, ["cat", "dog", "cat", "dog", "cat", "dog"], strict=True)))
    found = one(findings, "DATA and LABELS disagree on 6 ids")
    assert "2 sub-folders may be albums and not classes ('2023', '2024')" in found.text
    assert "a folder named 'unlabeled'" in found.text
    assert findings[-1].text == "6 files: 0 used, 0 skipped, 6 refused."
    _, findings = inspect_data(tmp_path, {names[0]: "2024", names[1]: "cat", names[2]: "cat"})
    assert "may be albums" not in one(findings, "disagree on 3 ids").text


def test_albums_are_said_before_the_flag_and_with_it(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    """Also where one row alone says so; the folders without a row count as classes, and that is said."""
    for seed, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "4.png"]):
        put_image(tmp_path / name, seed=seed)
    photos = open_samples(tmp_path)
    labels = {"cat/1.png": "bird", "4.png": "fish"}
    with pytest.raises(DataError) as caught:
        join_labels(photos, labels)
    text = str(caught.value)
    assert 0 < text.index("may be albums") < text.index("folder named 'unlabeled'") < text.index("--prefer labels")
    given = join_labels(photos, labels, LabelOptions(prefer="labels"))
    assert given.classes == ("bird", "cat", "dog", "fish")
    (said,) = [text for text in given.warnings if "may be albums" in text]
    assert said.startswith("names of folders count as classes beside those of LABELS: 'cat', 'dog'.")
    for label in ("dog", "Dog"):  # LABELS know the folders as classes
        joined = join_labels(photos, {"cat/1.png": label}, LabelOptions(prefer="labels"))
        assert not any("albums" in text for text in joined.warnings)
