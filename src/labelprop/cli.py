"""The command line: one function a verb, which parses, calls `labelprop.api` and prints.

Results go to stdout, progress and errors to stderr. Nothing heavy is imported before a verb runs; flags of
propagators and settings of recipes come from the registry's tables.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

import labelprop
from labelprop import registry
from labelprop.errors import LabelpropError, RequestError, UnknownNameError
from labelprop.progress import Bar, Lines, Reporter, Silent

app = typer.Typer(
    name="labelprop",
    help="A few labels and many unlabeled examples in; honest labels, a classifier and a report out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Data = Annotated[
    str, typer.Argument(metavar="DATA", help="Folder of images, table (.csv .parquet .jsonl) or arrays.")
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", help="Table with id, label and optionally weight; or .npy. Repeat for more files."),
]
Out = Annotated[Path, typer.Option("--out", help="Run folder to write.")]
Truth = Annotated[str | None, typer.Option("--truth", help="Labels of unlabeled rows, for scoring only.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same answer.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Backbone = Annotated[str | None, typer.Option("--backbone", help="HuggingFace folder or name; frozen, embeds DATA.")]
LabelCol = Annotated[str | None, typer.Option("--label-col", help="Table column with the labels.")]
IdCol = Annotated[str | None, typer.Option("--id-col", help="Table column with the ids.")]
ImageCol = Annotated[str | None, typer.Option("--image-col", help="Table column with paths or bytes of images.")]
TextCol = Annotated[str | None, typer.Option("--text-col", help="Table column with text.")]
EmbeddingCol = Annotated[str | None, typer.Option("--embedding-col", help="Table column with vectors.")]
TruthCol = Annotated[str | None, typer.Option("--truth-col", help="Table column with the truth, for scoring only.")]
ImageSize = Annotated[int | None, typer.Option("--image-size", help="Bring images to this size in pixels.")]
CacheDir = Annotated[str | None, typer.Option("--cache", help="Where decoded images and embeddings are kept.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse unreadable images instead of skipping them.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace --out if it holds a labelprop run.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
READING = (
    "label_col",
    "id_col",
    "image_col",
    "text_col",
    "embedding_col",
    "truth_col",
    "image_size",
    "strict",
    "cache",
)


def guarded(verb: Callable[..., None]) -> Callable[..., None]:
    """Turns errors into one line on stderr and the contract's exit status; --debug adds the traceback."""

    @functools.wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            verb(*args, **kwargs)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, typer.Exit):
                raise
            if kwargs.get("debug"):
                traceback.print_exc()
            print(f"labelprop: {explain(error)}", file=sys.stderr)
            raise typer.Exit(exit_status(error)) from None

    return run


def explain(error: BaseException) -> str:
    if isinstance(error, LabelpropError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; what was finished is saved. The same command with --resume continues a training."
    if isinstance(error, MemoryError):
        return "out of memory; use a smaller --image-size, fewer rows, or a machine with more."
    if type(error).__name__ == "OutOfMemoryError":  # torch's, named so that torch need not be imported here
        return "the GPU is out of memory; lower --set batch_size=..., use a smaller --image-size, or --device cpu."
    if isinstance(error, OSError):
        return f"{error.filename or 'file'}: {error.strerror or error}"
    return f"unexpected {type(error).__name__}: {error} (this is a bug; run again with --debug and report it)"


def exit_status(error: BaseException) -> int:
    if isinstance(error, LabelpropError):
        return error.exit_status
    return 130 if isinstance(error, KeyboardInterrupt) else 1


@contextmanager
def reporting(quiet: bool) -> Iterator[Reporter]:
    """A bar on a terminal, plain lines elsewhere, nothing with --quiet."""
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        with Bar() as bar:
            yield bar
    else:
        yield Lines()


def show_version(asked: bool) -> None:
    if asked:
        print(f"labelprop {labelprop.__version__}")
        raise typer.Exit()


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A few labels and many unlabeled examples in; honest labels, a classifier and a report out."""


@app.command()
@guarded
def demo(
    out: Out = Path("runs/demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run the main job on real images that ship with scikit-learn; prints where the report is."""
    from labelprop.demo import run_demo

    with reporting(quiet) as reporter:
        run = run_demo(out, seed=seed, reporter=reporter)
    print_demo(run.metrics)
    print(f"report: {run.report}")


def print_demo(metrics: dict[str, Any]) -> None:
    n, given = metrics["unlabeled"]["n"], metrics["n_given"]
    print(f"{given:,} labeled images, {n:,} unlabeled ones; accuracy on the unlabeled:")
    rows = {
        f"{metrics['recipe']} (this run)": metrics["unlabeled"]["accuracy"],
        "labels only": metrics["baseline"]["unlabeled"],
        "propagation on the raw pixels": metrics["propagation_only"]["unlabeled"],
    }
    for name, value in rows.items():
        print(f"  {name:<30} {value:.4f}" if value is not None else f"  {name:<30} not measured")


@app.command()
@guarded
def train(
    data: Data,
    out: Out,
    labels: Labels = None,
    recipe: Annotated[str, typer.Option("--recipe", help="One of `labelprop methods`.")] = "dlp",
    model: Annotated[str, typer.Option("--model", help="auto, or " + ", ".join(registry.MODELS) + ".")] = "auto",
    backbone: Backbone = None,
    test: Annotated[str | None, typer.Option("--test", help="Labeled data of the same kind, for scoring.")] = None,
    truth: Truth = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Time it may take: 90s, 10min, 1h.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Epochs of the main phase; others add their share.")
    ] = None,
    augment: Annotated[str, typer.Option("--augment", help="auto, none, shift, shift+flip or strong.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the recipe; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Overwrite = False,
    force: Annotated[bool, typer.Option("--force", help="Resume although something differs.")] = False,
    baselines: Annotated[bool, typer.Option("--baselines/--no-baselines", help="Also train on labels only.")] = True,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Repeatable kernels on CUDA.")] = False,
    label_col: LabelCol = None,
    id_col: IdCol = None,
    image_col: ImageCol = None,
    text_col: TextCol = None,
    embedding_col: EmbeddingCol = None,
    truth_col: TruthCol = None,
    image_size: ImageSize = None,
    strict: Strict = False,
    cache: CacheDir = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train on a few labels and many unlabeled examples; writes labels, a classifier and a report to --out."""
    from labelprop import api

    arguments = {name: value for name, value in locals().items() if name not in ("api", "quiet", "debug", "settings")}
    parsed = parse_settings(recipe, settings or [])
    with reporting(quiet) as reporter:
        run = api.train(**arguments, settings=parsed, command=this_command(), reporter=reporter)
    print(f"report: {run.report}")


def parse_settings(recipe: str, texts: list[str]) -> dict[str, Any]:
    """`name=value` texts to values of the settings' types."""
    known = registry.lookup("recipes", recipe).parameters
    parsed = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise RequestError(f"--set {text} must have the form name=value.")
        if name not in known:
            raise UnknownNameError(f"setting of recipe {recipe}", name, known)
        parsed[name] = registry.parse_value(f"--set {name}", value, known[name])
    return parsed


def this_command() -> str:
    return shlex.join(["labelprop", *sys.argv[1:]])


@guarded
def propagate(
    data: Data,
    out: Out,
    labels: Labels = None,
    method: Annotated[str, typer.Option("--method", help="One of `labelprop methods`.")] = "diffusion",
    backbone: Backbone = None,
    truth: Truth = None,
    overwrite: Overwrite = False,
    label_col: LabelCol = None,
    id_col: IdCol = None,
    image_col: ImageCol = None,
    text_col: TextCol = None,
    embedding_col: EmbeddingCol = None,
    truth_col: TruthCol = None,
    image_size: ImageSize = None,
    strict: Strict = False,
    cache: CacheDir = None,
    seed: Seed = 0,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
    **parameters: Any,
) -> None:
    """Spread labels over vectors (or pixels, or a backbone's embedding) without training."""
    from labelprop import api

    arguments = {name: value for name, value in locals().items() if name not in ("api", "quiet", "debug")}
    arguments["parameters"] = {name: value for name, value in parameters.items() if value is not None}
    with reporting(quiet) as reporter:
        run = api.propagate(**arguments, command=this_command(), reporter=reporter)
    print(f"report: {run.report}")


def add_parameter_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Gives `propagate` one flag a constructor parameter of any propagator; not given means its own default."""
    signature = inspect.signature(verb, eval_str=True)
    fixed = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    flags = []
    for name, default, methods in registry.propagator_parameters():
        dashed = name.replace("_", "-")
        spelled = f"--{dashed}/--no-{dashed}" if isinstance(default, bool) else f"--{dashed}"
        said = typer.Option(spelled, help=f"Default {default}. For {', '.join(methods)}.", show_default=False)
        annotation: Any = Annotated[type(default) | None, said]
        flags.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation))

    @functools.wraps(verb)
    def with_flags(**kwargs: Any) -> None:
        verb(**kwargs)

    with_flags.__signature__ = signature.replace(parameters=[*fixed, *flags])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in [*fixed, *flags]}
    return with_flags


app.command("propagate")(add_parameter_flags(propagate))


@app.command()
@guarded
def predict(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder of `labelprop train`.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="predictions.parquet, or .csv.")],
    proba: Annotated[bool, typer.Option("--proba", help="Also write the distribution over the classes.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace --out if it exists.")] = False,
    id_col: IdCol = None,
    image_col: ImageCol = None,
    text_col: TextCol = None,
    embedding_col: EmbeddingCol = None,
    strict: Strict = False,
    cache: CacheDir = None,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Label new data with the classifier of a run."""
    from labelprop import api
    from labelprop.table_files import check_table_path, write_table

    check_table_path(out, overwrite)
    reading = {"id_col": id_col, "image_col": image_col, "text_col": text_col, "embedding_col": embedding_col}
    with reporting(quiet) as reporter:
        found = api.predict(
            run, data, proba=proba, device=device, reporter=reporter, strict=strict, cache=cache, **reading
        )
    write_table(out, found)
    print(f"{found.num_rows:,} predictions: {out}")


@app.command()
@guarded
def embed(
    data: Data,
    backbone: Annotated[str, typer.Option("--backbone", help="HuggingFace folder or name.")],
    out: Annotated[Path, typer.Option("--out", help="emb.npy: float32 unit vectors, one row an example.")],
    ids: Annotated[Path | None, typer.Option("--ids", help="ids.csv: the id of each row.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    id_col: IdCol = None,
    image_col: ImageCol = None,
    text_col: TextCol = None,
    embedding_col: EmbeddingCol = None,
    image_size: ImageSize = None,
    strict: Strict = False,
    cache: CacheDir = None,
    device: Device = "auto",
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Embed images or text with a frozen backbone."""
    from labelprop import api
    from labelprop.table_files import check_table_path, write_array, write_ids

    check_table_path(out, overwrite, (".npy",))
    if ids is not None:
        check_table_path(ids, overwrite, (".csv",))
    reading = {"id_col": id_col, "image_col": image_col, "text_col": text_col, "embedding_col": embedding_col}
    with reporting(quiet) as reporter:
        vectors_ND, names = api.embed_with_ids(
            data,
            backbone=backbone,
            device=device,
            reporter=reporter,
            image_size=image_size,
            strict=strict,
            cache=cache,
            **reading,
        )
    write_array(out, vectors_ND)
    if ids is not None:
        write_ids(ids, names)
    print(f"{vectors_ND.shape[0]:,} vectors of {vectors_ND.shape[1]:,} dimensions: {out}")


@app.command()
@guarded
def doctor(
    data: Data,
    labels: Labels = None,
    label_col: LabelCol = None,
    id_col: IdCol = None,
    image_col: ImageCol = None,
    text_col: TextCol = None,
    embedding_col: EmbeddingCol = None,
    image_size: ImageSize = None,
    cache: CacheDir = None,
    debug: Debug = False,
) -> None:
    """Say what was found in DATA and what is wrong with it, with row ids; works without any label."""
    from labelprop import api

    arguments = {name: value for name, value in locals().items() if name not in ("api", "debug")}
    findings = api.doctor(**arguments)
    for finding in findings:
        print(f"{finding.severity}: {finding.text}")
    if any(finding.severity == "blocking" for finding in findings):
        raise typer.Exit(2)


@app.command()
@guarded
def report(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder.")],
    debug: Debug = False,
) -> None:
    """Write report.html of a finished run again."""
    from labelprop.api import load
    from labelprop.report.render import write_report

    print(f"report: {write_report(load(run).path)}")


@app.command()
@guarded
def methods(debug: Debug = False) -> None:
    """List propagators and recipes, one line each."""
    for name, entry in registry.table("propagators").items():
        print(f"{name} ({entry.target.rpartition(':')[2]})  {entry.summary}")
    for name, entry in registry.table("recipes").items():
        print(f"{name}  {entry.summary}")


def main() -> None:
    """The console script."""
    app()
