"""The main job on real images that ship with a dependency, the way a user would run it on a folder."""

from __future__ import annotations

import shutil

from labelprop.bench.digits import write_digits
from labelprop.core.files import storage_errors
from labelprop.core.run_folder import RunFolder
from labelprop.runs.requests import DemoRequest
from labelprop.runs.run import Run
from labelprop.runs.verbs import train


def run_demo(request: DemoRequest) -> Run:
    """Writes digits as a folder of PNG files beside `out` and trains on it into `out`, replacing an earlier demo."""
    out, seed = request.out, request.seed
    RunFolder.check(out, "overwrite")
    digits = out.with_name(f"{out.name}-data") / "digits"
    with storage_errors(digits):
        if digits.is_dir():
            shutil.rmtree(digits)
        digits.parent.mkdir(parents=True, exist_ok=True)
    truth = write_digits(digits, seed)
    command = f"labelprop train {digits} --truth {truth} --recipe dlp --seed {seed} --out {out} --overwrite"
    request.reporter.say(f"this demo is the same as\n    {command}")
    return train(
        digits,
        truth=truth,
        recipe="dlp",
        seed=seed,
        out=out,
        overwrite=True,
        reporter=request.reporter,
        command=command,
    )
