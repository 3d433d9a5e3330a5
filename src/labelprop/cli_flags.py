"""Flags of the commands: those that several verbs share, and those that come from the registry's tables."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from labelprop import registry
from labelprop.errors import RequestError, UnknownNameError

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
