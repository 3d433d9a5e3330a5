"""The command line: one function a verb, which parses, calls `labelprop.runs.verbs` and prints.

Results go to stdout, progress and errors to stderr. Nothing heavy is imported before a verb runs; flags of
propagators and settings of recipes come from the registry's tables.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from labelprop.cli.flags import (
    Backbone,
    CacheDir,
    Data,
    Debug,
    Device,
    EmbeddingCol,
    IdCol,
    ImageCol,
    ImageSize,
    LabelCol,
    Labels,
    Out,
    Overwrite,
    Quiet,
    Seed,
    Strict,
    TextCol,
    Truth,
    TruthCol,
    add_parameter_flags,
    add_setting_flags,
    parse_bench_settings,
    parse_parameters,
    parse_settings,
)
from labelprop.cli.session import guarded, reporting
from labelprop.core import registry
from labelprop.core.recipe_entries import AUTO, AUTO_SUMMARY

app = typer.Typer(
    name="labelprop",
    help="A few labels and many unlabeled examples in; honest labels, a classifier and a report out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def show_version(asked: bool) -> None:
    if asked:
        print(f"labelprop {version('labelprop')}")
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
    from labelprop.bench.demo import run_demo

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
    model: Annotated[
        str, typer.Option("--model", help="auto, or " + ", ".join(registry.MODELS) + "; options in brackets.")
    ] = "auto",
    backbone: Backbone = None,
    tune: Annotated[
        str, typer.Option("--tune", help="How an image backbone learns: frozen, lora (adapters) or full.")
    ] = "frozen",
    init: Annotated[
        Path | None, typer.Option("--init", help="A run to start from: its network, with new heads.")
    ] = None,
    only_labeled: Annotated[
        bool, typer.Option("--only-labeled", help="Leave out the rows of DATA that have no label.")
    ] = False,
    test: Annotated[str | None, typer.Option("--test", help="Labeled data of the same kind, for scoring.")] = None,
    truth: Truth = None,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Time it may take: 90s, 10min, 1h; a bare number is minutes.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Epochs of the main phase; others add theirs, 100 steps or more.")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="The same in steps.")] = None,
    augment: Annotated[str, typer.Option("--augment", help=f"auto, {', '.join(registry.AUGMENTS)}.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the recipe; repeatable."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    overwrite: Overwrite = False,
    force: Annotated[bool, typer.Option("--force", help="Resume although something differs.")] = False,
    baselines: Annotated[bool, typer.Option("--baselines/--no-baselines", help="Also train on labels only.")] = True,
    deterministic: Annotated[bool, typer.Option("--deterministic", help="Repeatable kernels on CUDA.")] = False,
    compile: Annotated[bool, typer.Option("--compile", help="Compile the network first: pays in long runs.")] = False,
    precision: Annotated[
        str, typer.Option("--precision", help="auto, float32 or bf16: faster, also on a CPU with AVX512-BF16 or AMX.")
    ] = "auto",
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
    devices: Annotated[int, typer.Option("--devices", help="GPUs (or CPU processes) that train together.")] = 1,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Train on a few labels and many unlabeled examples; writes labels, a classifier and a report to --out."""
    arguments = {name: value for name, value in locals().items() if name not in ("quiet", "debug", "settings")}
    parsed = parse_settings("recipes", recipe, settings or [])
    from labelprop.runs import verbs as api

    with reporting(quiet) as reporter:
        run = api.train(**arguments, settings=parsed, command=this_command(), reporter=reporter)
    from labelprop.core.distributed import leads

    if leads():  # under torchrun one of several does the talking
        print(f"report: {run.report}")


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
    baselines: Annotated[
        bool, typer.Option("--baselines/--no-baselines", help="Also label from the given labels alone, to compare.")
    ] = True,
    overwrite: Overwrite = False,
    force: Annotated[bool, typer.Option("--force", help="Go on although memory will probably not do.")] = False,
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
    arguments = {name: value for name, value in locals().items() if name not in ("quiet", "debug")}
    arguments["parameters"] = parse_parameters(method, parameters)
    from labelprop.runs import verbs as api

    with reporting(quiet) as reporter:
        run = api.propagate(**arguments, command=this_command(), reporter=reporter)
    print(f"report: {run.report}")


app.command("propagate")(add_parameter_flags(propagate))


@app.command()
@guarded
def predict(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder of `labelprop train`.")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="predictions.parquet, or .csv.")],
    proba: Annotated[
        bool, typer.Option("--proba", help="Also write probabilities, in the order of the classes in run.json.")
    ] = False,
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
    from labelprop.cli.files import check_table_path, write_table
    from labelprop.runs import verbs as api

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
def select(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder of `labelprop train`.")],
    pool: Annotated[str, typer.Argument(metavar="POOL", help="Unlabeled data of the same kind, however many.")],
    out: Annotated[Path, typer.Option("--out", help="selected.parquet, or .csv: id, label, score, rank.")],
    per_image: Annotated[int, typer.Option("--per-image", help="Likeliest classes an example stands for.")] = 10,
    per_class: Annotated[int, typer.Option("--per-class", help="Best examples taken for each class.")] = 500,
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
    """Take the best examples of a large pool for each class, by the classifier of a run."""
    from labelprop.cli.files import check_table_path, write_table
    from labelprop.runs import verbs as api

    check_table_path(out, overwrite)
    reading = {"id_col": id_col, "image_col": image_col, "text_col": text_col, "embedding_col": embedding_col}
    with reporting(quiet) as reporter:
        found = api.select(
            run,
            pool,
            per_image=per_image,
            per_class=per_class,
            device=device,
            reporter=reporter,
            strict=strict,
            cache=cache,
            **reading,
        )
    write_table(out, found)
    print(f"{found.num_rows:,} selected: {out}")


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
    from labelprop.cli.files import check_table_path
    from labelprop.core.files import write_array, write_csv
    from labelprop.runs import verbs as api

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
        write_csv(ids, ["id"], ([name] for name in names))
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
    from labelprop.runs import verbs as api

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
    against: Annotated[
        Path | None, typer.Option("--against", help="Another run on the same data, to set beside it.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Write report.html of a finished run again."""
    from labelprop.runs.verbs import load

    print(f"report: {load(run).write_report(against)}")


@guarded
def bench(
    name: Annotated[str, typer.Argument(metavar="NAME", help=", ".join(registry.BENCHES) + ".")],
    data: Annotated[Path, typer.Option("--data", help="Folder that holds one folder a data set.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Where cells and tables go; default runs/bench-NAME.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the bench; repeatable."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **flags: Any,
) -> None:
    """Compare methods on data sets at hand; a restart continues where it stopped."""
    parsed = parse_bench_settings(name, flags, settings or [])
    from labelprop.bench.run_bench import run_bench

    folder = out or Path("runs") / f"bench-{name}"
    with reporting(quiet) as reporter:
        tables = run_bench(name, data, folder, parsed, reporter, overwrite=overwrite)
    print(f"{tables}\ntable: {folder / 'table.md'}")


app.command("bench")(add_setting_flags(bench))


@app.command()
@guarded
def methods(
    chosen: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them, with its settings.")] = None,
    debug: Debug = False,
) -> None:
    """List propagators and recipes, one line each; with NAME its settings and what they mean."""
    if chosen is not None:
        from labelprop.cli.methods import described

        print(described(chosen))
        return
    for name, entry in registry.table("propagators").items():
        print(f"{name} ({entry.target.rpartition(':')[2]})  {entry.summary}")
    for name, entry in registry.table("recipes").items():
        print(f"{name}  {entry.summary}")
    print(f"{AUTO}  {AUTO_SUMMARY}")


def main() -> None:
    """The console script."""
    # Large tensors on huge pages: torch reads this when it first needs memory. In a trial, products with a random
    # graph of a million rows took a fifth to a third less time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    app()
