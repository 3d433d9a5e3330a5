"""The command line: one function a verb, which calls the Python verb of the same name and prints.

Results go to stdout, progress and errors to stderr. Nothing heavy is imported before a verb runs; flags come from the
verbs' requests, and those of propagators and settings of recipes from the registry's tables.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer

from labelprop.cli.flags import bench_flags, propagator_flags
from labelprop.cli.session import guarded
from labelprop.cli.values import parse_bench_settings, parse_parameters, parse_settings
from labelprop.cli.verb import GroupedCommand, Printed, Typed, add_verb
from labelprop.core import registry
from labelprop.core.recipe_entries import AUTO, AUTO_SUMMARY
from labelprop.core.text import counted
from labelprop.runs.requests import (
    BenchRequest,
    DemoRequest,
    DoctorRequest,
    EmbedRequest,
    PredictRequest,
    PropagateRequest,
    ReportRequest,
    SelectRequest,
    TrainRequest,
)

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
        print(f"labelprop {version_of('labelprop')}")
        raise typer.Exit()


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """A few labels and many unlabeled examples in; honest labels, a classifier and a report out."""


@add_verb(app, DemoRequest)
def demo(typed: Typed) -> Printed:
    """Run the main job on real images that ship with scikit-learn; prints where the report is."""
    from labelprop.bench.demo import run_demo

    run = run_demo(DemoRequest.of(typed))
    return Printed(f"{accuracies(run.metrics)}\nreport: {run.report}")


def accuracies(metrics: dict[str, Any]) -> str:
    n, labeled = metrics["unlabeled"]["n"], metrics["n_given"]
    rows = {
        f"{metrics['recipe']} (this run)": metrics["unlabeled"]["accuracy"],
        "labels only": metrics["baseline"]["unlabeled"],
        "propagation on the raw pixels": metrics["propagation_only"]["unlabeled"],
    }
    lines = [f"  {name:<30} {'not measured' if value is None else f'{value:.4f}'}" for name, value in rows.items()]
    return "\n".join([f"{counted(labeled, 'labeled image')}, {n:,} unlabeled; accuracy on the unlabeled:", *lines])


@add_verb(app, TrainRequest)
def train(typed: Typed) -> Printed:
    """Train on a few labels and many unlabeled examples; writes labels, a classifier and a report to --out."""
    if "settings" in typed:
        recipe = typed.get("recipe", TrainRequest.options()["recipe"].default)
        typed["settings"] = parse_settings("recipes", recipe, typed["settings"])
    from labelprop.core.ranks import leads
    from labelprop.runs import verbs
    from labelprop.runs.shown import where

    run = verbs.train(**typed)
    return Printed(where(run.path) if leads() else "")  # under torchrun only the first process prints


@add_verb(app, PropagateRequest, propagator_flags)
def propagate(typed: Typed) -> Printed:
    """Spread labels over vectors (or pixels, or a backbone's embedding) without training."""
    flags = {name: typed.pop(name) for name in registry.propagator_parameters() if name in typed}
    method = typed.get("method", PropagateRequest.options()["method"].default)
    parameters = parse_parameters(method, flags)
    from labelprop.runs import verbs
    from labelprop.runs.shown import where

    return Printed(where(verbs.propagate(**typed, parameters=parameters).path))


@add_verb(app, PredictRequest)
def predict(typed: Typed) -> Printed:
    """Label new data with the classifier of a run."""
    from labelprop.runs import verbs

    return _written(verbs.predict, typed, lambda n: counted(n, "prediction"))


@add_verb(app, SelectRequest)
def select(typed: Typed) -> Printed:
    """Take the best examples of a large pool for each class, by the classifier of a run."""
    from labelprop.runs import verbs

    typed["pool"] = typed.pop("data")
    return _written(verbs.select, typed, lambda n: f"{n:,} selected")


def _written(work: Callable[..., Any], typed: Typed, what: Callable[[int], str]) -> Printed:
    """Writes the table that a Python verb makes to --out."""
    from labelprop.cli.files import check_table_path, write_table

    out = check_table_path(typed.pop("out"), typed.pop("overwrite", False))
    found = work(**typed)
    write_table(out, found)
    return Printed(f"{what(found.num_rows)}: {out}")


@add_verb(app, EmbedRequest)
def embed(typed: Typed) -> Printed:
    """Embed images or text with a frozen backbone."""
    from labelprop.cli.files import check_table_path
    from labelprop.core.files import write_array, write_csv
    from labelprop.runs import verbs

    overwrite, ids = typed.pop("overwrite", False), typed.pop("ids", None)
    out = check_table_path(typed.pop("out"), overwrite, (".npy",))
    if ids is not None:
        check_table_path(ids, overwrite, (".csv",))
    vectors_ND, names = verbs.embed_with_ids(**typed)
    write_array(out, vectors_ND)
    n, dimensions = vectors_ND.shape
    if ids is not None:
        write_csv(ids, ["id"], ([name] for name in names))
    return Printed(f"{counted(n, 'vector')} of {counted(dimensions, 'dimension')}: {out}")


@add_verb(app, DoctorRequest)
def doctor(typed: Typed) -> Printed:
    """Say what was found in DATA and what is wrong with it, with row ids; works without any label."""
    from labelprop.runs import verbs

    findings = verbs.doctor(**typed)
    blocked = any(finding.severity == "blocking" for finding in findings)
    return Printed(
        "\n".join(f"{finding.severity}: {finding.text}" for finding in findings), status=2 if blocked else 0
    )


@add_verb(app, ReportRequest)
def report(typed: Typed) -> Printed:
    """Write report.html of a finished run again."""
    from labelprop.report.render import write_report
    from labelprop.runs.checks import finished_run

    return Printed(f"report: {write_report(finished_run(typed['run']).path, typed.get('against'))}")


class BenchCommand(GroupedCommand):
    """Help that says what each bench measures."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Benches"):
            formatter.write_dl([(name, entry.summary) for name, entry in registry.entries("benches").items()])
        super().format_options(ctx, formatter)


@add_verb(app, BenchRequest, bench_flags, BenchCommand)
def bench(typed: Typed) -> Printed:
    """Compare methods on data sets at hand; a restart continues where it stopped."""
    flags = {name: typed.pop(name) for name in registry.bench_settings() if name in typed}
    typed["settings"] = parse_bench_settings(typed["name"], flags, typed.pop("settings", []))
    from labelprop.bench.run_bench import run_bench

    request = BenchRequest.of(typed)
    return Printed(f"{run_bench(request)}\ntable: {request.folder / 'table.md'}")


@app.command()
@guarded
def methods(
    chosen: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them, with its settings.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """List propagators and recipes, one line each; with NAME its settings and what they mean."""
    if chosen is not None:
        from labelprop.cli.methods import described

        print(described(chosen))
        return
    for name, entry in registry.entries("propagators").items():
        print(f"{name} ({entry.target.rpartition(':')[2]})  {entry.summary}")
    for name, entry in registry.entries("recipes").items():
        print(f"{name}  {entry.summary}")
    print(f"{AUTO}  {AUTO_SUMMARY}")


def main() -> None:
    """The console script."""
    # Large tensors on huge pages: torch reads this when it first needs memory. In a trial, products with a random
    # graph of a million rows took a fifth to a third less time.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="surrogateescape")  # paths that are not UTF-8 come out as they went in
    app()
