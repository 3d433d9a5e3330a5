"""What is said of a long training before it begins: how long it will take, and what makes it shorter."""

from __future__ import annotations

from collections.abc import Sequence

from labelprop.core.progress import WARNING
from labelprop.core.text import duration
from labelprop.runs.design import Design
from labelprop.runs.prepare import PreparedTraining
from labelprop.training.job import Job
from labelprop.training.lengths import foreseen

SMALL_SIDE, SMALL_MODEL = 64, "small_cnn"  # to advise for images


def warn_if_long(prepared: PreparedTraining, jobs: Sequence[Job], trials: Sequence[float] = ()) -> float | None:
    """Warns of a training, or with `trials` a race of these and what follows; returns its seconds where it does."""
    seconds = foreseen(jobs, trials)
    if seconds is not None:
        what = "choosing a recipe and training it" if trials else "this training"
        remedies = "; ".join(shorter(prepared.design))
        prepared.request.reporter.say(
            f"{WARNING}{what} will take about {duration(seconds)} on this {_machine(prepared)}. Shorter: {remedies}"
        )
    return seconds


def shorter(design: Design) -> list[str]:
    """What makes a training shorter; what helps most comes first."""
    shape, pixels = tuple(design.embedded.content.shape), design.embedded.backbone is None
    found = []
    if len(shape) == 3 and pixels and design.start is None and design.own is None:
        found.append("--backbone photos, which looks at each image once")
        if max(shape[1:]) > SMALL_SIDE:
            found.append(f"--image-size {SMALL_SIDE}")
        if design.spec.name not in (SMALL_MODEL, "mlp"):
            found.append(f"--model {SMALL_MODEL}")
    return [*found, "--budget 30min", "fewer --epochs"]


def _machine(prepared: PreparedTraining) -> str:
    return "GPU" if prepared.device.type == "cuda" else "CPU"
