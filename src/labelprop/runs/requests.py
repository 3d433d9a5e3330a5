"""The request of each verb. Fields stand in the order of the help texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from labelprop.core import registry
from labelprop.core.bench_entries import BENCHES
from labelprop.core.bundled import BACKBONES
from labelprop.core.callbacks import EVENTS, Callbacks
from labelprop.core.errors import RequestError
from labelprop.core.run_folder import Existing, RunFolder
from labelprop.runs.request import Request, option

if TYPE_CHECKING:
    from labelprop.methods.phases import Recipe

BACKBONE_HELP = "Embeds DATA: photos, text, tf-idf, a HuggingFace folder or name, or a run of `train`."
FROZEN = "frozen"  # of --tune: the backbone embeds the data once, and a small network learns on that
TUNES = (FROZEN, "lora", "full")


@dataclass(frozen=True, kw_only=True)
class Reading(Request):
    """How DATA is read: columns of a table, size of images, what to do about unreadable files."""

    data: Any = option(
        "Folder of images, table (.csv .parquet .jsonl) or arrays.",
        "data",
        metavar="DATA",
        positional=True,
        file=True,
    )
    label_col: str | None = option("Table column with the labels.", "data", None)
    id_col: str | None = option("Table column with the ids.", "data", None)
    image_col: str | None = option("Table column with paths or bytes of images.", "data", None)
    text_col: str | None = option("Table column with text.", "data", None)
    embedding_col: str | None = option("Table column with vectors.", "data", None)
    embedding_cols: Any = option("Columns of one number each: first:last, or a pattern such as 'f*'.", "data", None)
    truth_col: str | None = option("Table column with the truth, for scoring only.", "data", None)
    encoding: str | None = option(
        "Of text tables that are neither UTF-8 nor marked as UTF-16: cp1252, for instance.", "data", None
    )
    image_size: int | None = option("Bring images to this size in pixels.", "data", None, kind=int)
    strict: bool = option("Refuse unreadable images instead of skipping them.", "data", False)
    cache: str | Path | None = option("Where decoded images and embeddings are kept.", "machine", None, file=True)

    takes_one_image: ClassVar[bool] = False  # as DATA, beside folders and tables

    @property
    def content_columns(self) -> dict[str, Any]:
        """The columns that were named, of those that new data of the same kind will have too."""
        names = ["id_col", "image_col", "embedding_col", "embedding_cols"]
        if self.embedding_col is None and self.embedding_cols is None:  # a text beside vectors is shown only
            names.append("text_col")
        named = {name: getattr(self, name) for name in names}
        return {name: column for name, column in named.items() if column is not None}


@dataclass(frozen=True, kw_only=True)
class Labeled(Reading):
    """DATA with its given labels."""

    labels: Any = option(
        "Table with id, label and optionally weight; or .npy. Repeat for more files.",
        "data",
        None,
        kind=list[Path],  # what is typed is always a file, and never labels in a row
        positional=True,
        file=True,
        in_python="Labels of the rows, a mapping from ids, a table of id, label and weight, or a list of files.",
    )
    labels_id_col: str | None = option("Column of --labels with the ids.", "data", None)
    labels_label_col: str | None = option("Column of --labels with the labels.", "data", None)
    prefer: str | None = option("labels: --labels correct DATA, and a later file an earlier one.", "data", None)
    literal_labels: bool = option("Labels like 'cat|dog' are names of classes, not lists.", "data", False)


@dataclass(frozen=True, kw_only=True)
class DoctorRequest(Labeled):
    """`labelprop doctor`."""

    shows_progress: ClassVar[bool] = False
    python_only: ClassVar[frozenset[str]] = frozenset({"strict", "truth_col"})


@dataclass(frozen=True, kw_only=True)
class NewRun(Labeled):
    """A request that writes a run folder."""

    out: Path = option("Run folder to write.", "output", kind=Path)
    truth: Any = option("Labels of unlabeled rows, for scoring only.", "data", None, file=True)
    seed: int = option("Same seed, same answer.", "machine", 0)
    device: str = option("auto, cpu or cuda.", "machine", "auto")
    overwrite: bool = option("Replace --out if it holds a labelprop run.", "output", False)
    report: bool = option("Also write report.html.", "output", True, flag="--report/--no-report")
    callbacks: Any = option("An object, or several, told of the run's events.", "output", None, kept=False)

    python_only: ClassVar[frozenset[str]] = frozenset({"callbacks"})
    keeps_threads: ClassVar[bool] = True
    events: ClassVar[tuple[str, ...]] = EVENTS

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "callbacks", Callbacks.of(self.callbacks, self.events))

    @property
    def existing(self) -> Existing:
        """What happens to an --out that exists."""
        return "overwrite" if self.overwrite else "refuse"


@dataclass(frozen=True, kw_only=True)
class PropagateRequest(NewRun):
    """`labelprop propagate`."""

    method: str = option("One of `labelprop methods`.", "method", "auto")
    backbone: Any = option(BACKBONE_HELP, "method", None, file=True, names=BACKBONES)
    baselines: bool = option(
        "Also label from the given labels alone, to compare.", "method", True, flag="--baselines/--no-baselines"
    )
    force: bool = option("Go on although memory will probably not do.", "machine", False)
    parameters: Mapping[str, Any] = option("Of the propagator, by name.", "method", factory=dict)

    python_only: ClassVar[frozenset[str]] = frozenset({"callbacks", "parameters"})  # parameters: flags of their own
    events: ClassVar[tuple[str, ...]] = ("on_end",)


@dataclass(frozen=True, kw_only=True)
class TrainRequest(NewRun):
    """`labelprop train`."""

    recipe: str | Recipe = option("One of `labelprop methods`.", "recipe", "dlp")
    settings: Mapping[str, Any] = option(
        "A setting of the recipe; repeatable.",
        "recipe",
        kind=list[str],
        flag="--set",
        metavar="NAME=VALUE",
        factory=dict,
        in_python="Settings of the recipe, by name.",
    )
    model: Any = option(f"auto, or {', '.join(registry.MODELS)}; options in brackets.", "recipe", "auto", kind=str)
    backbone: Any = option(BACKBONE_HELP, "recipe", None, file=True, names=BACKBONES)
    tune: str = option("How an image backbone learns: frozen, lora (adapters) or full.", "recipe", FROZEN)
    init: Path | None = option("A run to start from: its network, with new heads.", "recipe", None, kind=Path)
    augment: str = option(f"auto, {', '.join(registry.AUGMENTS)}.", "recipe", "auto")
    baselines: bool = option("Also train on labels only.", "recipe", True, flag="--baselines/--no-baselines")
    only_labeled: bool = option("Leave out the rows of DATA that have no label.", "data", False)
    test: Any = option("Labeled data of the same kind, for scoring.", "data", None, file=True)
    epochs: int | None = option(
        "Epochs of the main phase; other phases add a share, 100 steps or more.", "length", None, kind=int
    )
    steps: int | None = option(
        "Steps of the main phase; other phases add a share, 100 steps or more.", "length", None, kind=int
    )
    budget: str | float | None = option("Time it may take: 90s, 10min, 1h; a bare number is minutes.", "length", None)
    devices: int = option("GPUs (or CPU processes) that train together.", "machine", 1)
    precision: str = option(
        "auto, float32 or bf16: faster, also on a CPU with AVX512-BF16 or AMX.", "machine", "auto"
    )
    deterministic: bool = option("Repeatable kernels on CUDA.", "machine", False)
    compile: bool = option("Compile the network first: pays in long runs.", "machine", False)
    resume: bool = option("Continue an interrupted run; what is not said again is as it was.", "output", False)
    force: bool = option("Resume although something differs.", "output", False)

    belong_together: ClassVar[tuple[frozenset[str], ...]] = (
        frozenset({"recipe", "settings"}),
        frozenset({"epochs", "steps", "budget"}),
        frozenset({"resume", "overwrite", "force"}),
    )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """With `resume`, options that are not given again are those of the interrupted run."""
        request = super().of(options)
        if not request.resume:
            return request
        kept = RunFolder(request.out).read_json("run.json").get("request", {})
        return request.resumed(kept, options)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.overwrite:
            raise RequestError("--resume and --overwrite exclude each other; give one of them.")

    @property
    def existing(self) -> Existing:
        return "resume" if self.resume else super().existing

    @property
    def kept_threads(self) -> int | None:
        return RunFolder(self.out).read_json("run.json").get("threads") if self.resume else None


@dataclass(frozen=True, kw_only=True)
class EmbedRequest(Reading):
    """`labelprop embed`."""

    backbone: Any = option("photos, text, tf-idf, a HuggingFace folder or name, or a run of `train`.", "method")
    out: Path | None = option(
        "emb.npy: float32 unit vectors, one row an example.", "output", None, kind=Path, required=True
    )
    ids: Path | None = option("ids.csv: the id of each row.", "output", None, kind=Path)
    overwrite: bool = option("Replace files that exist.", "output", False)
    device: str = option("auto, cpu or cuda.", "machine", "auto")

    python_only: ClassVar[frozenset[str]] = frozenset({"label_col", "truth_col"})
    command_only: ClassVar[frozenset[str]] = frozenset({"out", "ids", "overwrite"})


@dataclass(frozen=True, kw_only=True)
class OfRun(Request):
    """A request about a run of `train`."""

    run: Path = option("A run folder of `labelprop train`.", "data", kind=Path, metavar="DIR", positional=True)


@dataclass(frozen=True, kw_only=True)
class Classifying(Reading, OfRun):  # in this order `run` comes before `data`
    """New data for the classifier of a run."""

    backbone: Any = option(
        "The module or function that the run was trained with, which no file can name.", "method", None
    )
    model: Any = option("The module that the run was trained with as its network.", "method", None, kept=False)
    overwrite: bool = option("Replace --out if it exists.", "output", False)
    device: str = option("auto, cpu or cuda.", "machine", "auto")

    python_only: ClassVar[frozenset[str]] = frozenset({"label_col", "truth_col", "image_size", "backbone", "model"})
    command_only: ClassVar[frozenset[str]] = frozenset({"out", "overwrite"})


@dataclass(frozen=True, kw_only=True)
class PredictRequest(Classifying):
    """`labelprop predict`."""

    takes_one_image: ClassVar[bool] = True
    data: Any = option(
        "Data of the kind the run was trained on; or one image.", "data", metavar="DATA", positional=True, file=True
    )
    out: Path | None = option("predictions.parquet, or .csv.", "output", None, kind=Path, required=True)
    proba: bool = option(
        "Also write probabilities: a list in the order of the classes, in .csv a column a class.", "output", False
    )


@dataclass(frozen=True, kw_only=True)
class SelectRequest(Classifying):
    """`labelprop select`."""

    data: Any = option("Unlabeled data of the same kind, however many.", "data", metavar="POOL", positional=True)
    out: Path | None = option(
        "selected.parquet, or .csv: id, label, score, rank.", "output", None, kind=Path, required=True
    )
    per_image: int = option("Likeliest classes an example stands for.", "settings", 10)
    per_class: int = option("Best examples taken for each class.", "settings", 500)


@dataclass(frozen=True, kw_only=True)
class DemoRequest(Request):
    """`labelprop demo`."""

    out: Path = option("Run folder to write.", "output", Path("runs/demo"), kind=Path)
    seed: int = option("Same seed, same answer.", "machine", 0)


@dataclass(frozen=True, kw_only=True)
class ReportRequest(Request):
    """`labelprop report`."""

    shows_progress: ClassVar[bool] = False
    run: Path = option("A run folder.", "data", kind=Path, metavar="DIR", positional=True)
    against: Path | None = option("Another run on the same data, to set beside it.", "data", None, kind=Path)


@dataclass(frozen=True, kw_only=True)
class BenchRequest(Request):
    """`labelprop bench`; the settings of each bench are flags of their own."""

    name: str = option(f"{', '.join(BENCHES)}.", "data", metavar="NAME", positional=True)
    data: Path = option("Folder that holds one folder a data set.", "data", kind=Path)
    out: Path | None = option("Where cells and tables go; default runs/bench-NAME.", "output", None, kind=Path)
    settings: Mapping[str, Any] = option(
        "A setting of the bench; repeatable.",
        "settings",
        kind=list[str],
        flag="--set",
        metavar="NAME=VALUE",
        factory=dict,
    )
    overwrite: bool = option("Replace --out if it holds a labelprop run.", "output", False)

    @property
    def folder(self) -> Path:
        """Where cells and tables go."""
        return self.out or Path("runs") / f"bench-{self.name}"
