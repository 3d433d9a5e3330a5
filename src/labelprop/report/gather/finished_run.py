"""The files of a run folder as arrays and plain values. The only module of the report that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.run_folder import RACE, RunFolder
from labelprop.core.types import UNLABELED
from labelprop.evaluation.snapshots import FOLDER
from labelprop.evaluation.verdict import Verdict, judge
from labelprop.report.gather.evidence import choose_shown
from labelprop.report.gather.history import History, PhaseEpochs
from labelprop.report.gather.numbers import Share, Trust, thousandths

if TYPE_CHECKING:
    import pyarrow as pa

FILES = {
    "labels.parquet": "id, label, certainty, margin and source of every {noun}",
    "pseudo_labels.parquet": "the labels of the last propagation, with their weights in training",
    "model.safetensors": "the classifier's weights",
    "model.json": "the classifier's architecture, classes and preprocessing",
    "metrics.json": "the numbers of this run",
    "history.jsonl": "a line for every epoch",
    FOLDER: "embeddings of some {noun}s during training, for this page",
    RACE: "what each recipe found of hidden labels that auto tried, and the choice",
    "run.json": "settings, versions, hashes of the data, skipped files",
}


@dataclass(frozen=True, eq=False)
class Examples:
    """N examples in input order. Codes index `FinishedRun.names`; -1 is none."""

    ids: tuple[str, ...]
    label_N: np.ndarray
    exact_N: np.ndarray  # certainty as stored
    margin_N: np.ndarray  # thousandths
    given_N: np.ndarray  # bool
    truth_N: np.ndarray
    second_N: np.ndarray
    place_N2: np.ndarray  # 0..1, y downward; NaN where not on the map
    shown_N: np.ndarray  # bool: on the map and in the table
    pictures: tuple[bytes | None, ...]
    texts: tuple[str | None, ...]

    @property
    def n(self) -> int:
        return len(self.ids)

    @cached_property
    def certainty_N(self) -> np.ndarray:
        """Thousandths, cut once for the whole page."""
        return thousandths(self.exact_N)

    @cached_property
    def pool_N(self) -> np.ndarray:
        """Rows that got their label from the run, which the page evaluates."""
        return ~self.given_N & (self.label_N >= 0)

    @cached_property
    def known_N(self) -> np.ndarray:
        return self.pool_N & (self.truth_N >= 0)

    @cached_property
    def wrong_N(self) -> np.ndarray:
        wrong_N: np.ndarray = self.known_N & (self.truth_N != self.label_N)
        return wrong_N


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Everything the page is made from."""

    name: str
    noun: str
    verb: str  # "train" or "propagate"
    recipe: str  # or the propagator's name
    date: str
    classes: tuple[str, ...]
    names: tuple[str, ...]  # the classes, then classes that occur in the truth only
    rows: Examples
    metrics: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    command: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    backbone: bool = False  # whether a pretrained network, or another run's, saw the examples
    solved: Mapping[str, Any] = field(default_factory=dict)  # how the propagation ended
    choice: Mapping[str, Any] = field(default_factory=dict)  # of the recipe, where that was `auto`
    versions: Mapping[str, Any] = field(default_factory=dict)
    device: str = ""
    skipped: Sequence[Mapping[str, Any]] = ()
    stages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    projection: str = ""
    files: tuple[str, ...] = ()
    vectors: Mapping[int, Path] = field(default_factory=dict)  # of followed rows, by the steps done, ascending
    folder: str = ""  # its name, without the path

    @property
    def n_unreadable(self) -> int:
        """Skipped examples; version 0.1.0 listed nothing else."""
        return sum(entry.get("kind", "unreadable") == "unreadable" for entry in self.skipped)

    @cached_property
    def trust(self) -> Trust:
        rows, pool_N = self.rows, self.rows.pool_N
        return Trust(rows.certainty_N[pool_N], rows.exact_N[pool_N], rows.known_N[pool_N], rows.wrong_N[pool_N])

    @cached_property
    def verdict(self) -> Verdict:
        return judge(self.metrics)

    @cached_property
    def own(self) -> History:
        """The lines of this run's own training; empty for a propagation."""
        return History([line for line in self.history if line.get("training") in (None, "recipe", self.recipe)])

    @cached_property
    def baseline(self) -> History:
        """The lines of the training on the given labels alone."""
        return History([line for line in self.history if line.get("training") not in (None, "recipe", self.recipe)])

    @property
    def last_phase(self) -> PhaseEpochs | None:
        """Where there is more than one."""
        phases = self.own.phases
        return phases[-1] if len(phases) > 1 else None

    @property
    def test(self) -> Share | None:
        """Right on the test set; None where there was none."""
        test = self.metrics.get("test") or {}
        n, accuracy = test.get("n"), test.get("accuracy")
        return Share(round(accuracy * n), n) if n and accuracy is not None else None

    @property
    def kind_of_method(self) -> str:
        return "recipe" if self.verb == "train" else "method"

    @property
    def n_given(self) -> int:
        return int(self.rows.given_N.sum())

    @property
    def n_unlabeled(self) -> int:
        return self.rows.n - self.n_given

    @property
    def unreached(self) -> int:
        return self.n_unlabeled - self.trust.n

    @property
    def has_truth(self) -> bool:
        return bool(self.rows.known_N.any())

    @property
    def truth_is_partial(self) -> bool:
        return 0 < self.trust.all.n < self.trust.n

    @property
    def has_pictures(self) -> bool:
        return any(picture is not None for picture in self.rows.pictures)

    @property
    def has_texts(self) -> bool:
        return any(text is not None for text in self.rows.texts)

    @property
    def has_map(self) -> bool:
        return bool(np.isfinite(self.rows.place_N2).all(1).any())


def read_run(path: Path) -> FinishedRun:
    """Reads a finished run folder. RequestError where a file is missing, damaged or of another run."""
    folder = RunFolder(path)
    about, metrics = folder.read_json("run.json"), folder.read_json("metrics.json")
    classes = tuple(about.get("classes") or metrics.get("classes") or ())
    rows, names = _rows(folder, classes)
    history = folder.history()
    return FinishedRun(
        name=Path(about.get("name") or "data").name,
        noun=about.get("noun") or "example",
        verb="train" if history or (path / "model.json").exists() else "propagate",
        recipe=about.get("recipe") or metrics.get("recipe") or "",
        date=str(about.get("date") or ""),
        classes=classes,
        names=names,
        rows=rows,
        metrics=metrics,
        history=history,
        command=about.get("command") or "",
        settings=about.get("settings") or {},
        request=about.get("request") or {},
        backbone=about.get("backbone") is not None,
        solved=about.get("verdict") or {},
        choice=folder.read_json(RACE),
        versions=about.get("versions") or {},
        device=str(about.get("device") or ""),
        skipped=about.get("skipped") or (),
        stages=about.get("stages") or {},
        projection=about.get("projection") or "",
        files=tuple(name for name in FILES if (path / name).exists()),
        vectors={
            int(file.stem): file for file in sorted((path / FOLDER).glob("*.safetensors")) if file.stem.isdigit()
        },
        folder=path.resolve().name,
    )


def _rows(folder: RunFolder, classes: Sequence[str]) -> tuple[Examples, tuple[str, ...]]:
    labels = folder.read_table("labels.parquet")
    ids = tuple(labels.column("id").to_pylist())
    evidence = _evidence(folder, ids)
    truth = evidence.get("truth", [None] * len(ids))
    names = (*classes, *sorted({name for name in truth if name is not None} - set(classes)))
    code = {name: index for index, name in enumerate(names)}
    label_N = _codes(labels.column("label").to_pylist(), code)
    given_N = np.array([source == "given" for source in labels.column("source").to_pylist()], dtype=bool)
    truth_N = _codes(truth, code)
    exact_N = _numbers(labels.column("certainty").to_numpy(), 0.0)
    wrong_N = ~given_N & (label_N >= 0) & (truth_N >= 0) & (truth_N != label_N)
    if "shown" in evidence:
        shown_N = np.array(evidence["shown"], dtype=bool)
    else:
        shown_N = choose_shown(label_N, exact_N, given_N, wrong_N)
    rows = Examples(
        ids=ids,
        label_N=label_N,
        exact_N=exact_N,
        margin_N=thousandths(_numbers(labels.column("margin").to_numpy(), 0.0)),
        given_N=given_N,
        truth_N=truth_N,
        second_N=_codes(evidence.get("second", [None] * len(ids)), code),
        place_N2=_places(evidence, len(ids), shown_N),
        shown_N=shown_N,
        pictures=tuple(evidence.get("picture", [None] * len(ids))),
        texts=tuple(evidence.get("text", [None] * len(ids))),
    )
    return rows, names


def _evidence(folder: RunFolder, ids: tuple[str, ...]) -> dict[str, list[Any]]:
    """evidence.parquet by column; {} where the run has none."""
    if not (folder.path / "evidence.parquet").exists():
        return {}
    table: pa.Table = folder.read_table("evidence.parquet")
    if tuple(table.column("id").to_pylist()) != ids:
        raise RequestError(
            f"{folder.path / 'evidence.parquet'} and labels.parquet list different examples; "
            "they are not of the same run: train it again."
        )
    return {name: table.column(name).to_pylist() for name in table.column_names}


def _codes(names: Sequence[str | None], code: Mapping[str, int]) -> np.ndarray:
    return np.array([code.get(name, UNLABELED) if name is not None else UNLABELED for name in names], dtype=np.int64)


def _numbers(values: Any, missing: float) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float32)
    return np.where(np.isfinite(numbers), numbers, np.float32(missing))


def _places(evidence: Mapping[str, list[Any]], n: int, shown_N: np.ndarray) -> np.ndarray:
    """Map coordinates scaled to the unit square, each axis to its own range, y downward; NaN where not shown."""
    empty_N = [None] * n
    columns = [evidence.get(axis, empty_N) for axis in ("x", "y")]
    raw_N2 = np.array([[np.nan if v is None else v for v in column] for column in columns], dtype=np.float64).T
    raw_N2 = raw_N2.reshape(n, 2)
    raw_N2[~shown_N | ~np.isfinite(raw_N2).all(1)] = np.nan
    on_map_N = np.isfinite(raw_N2).all(1)
    if not on_map_N.any():
        return raw_N2
    low_2, high_2 = raw_N2[on_map_N].min(0), raw_N2[on_map_N].max(0)
    place_N2: np.ndarray = (raw_N2 - low_2) / np.where(high_2 > low_2, high_2 - low_2, 1)
    place_N2[on_map_N] += np.where(high_2 > low_2, 0, 0.5)
    place_N2[:, 1] = 1 - place_N2[:, 1]
    return place_N2
