"""How long the end of a run takes, before it begins: the map, the small pictures, the page."""

from __future__ import annotations

import math
import time

import numpy as np

from labelprop.data.contents import Content
from labelprop.data.samples import Samples
from labelprop.propagators.cost.pace import measured_pace
from labelprop.report.draw.projection import TSNE_ROWS
from labelprop.report.gather.evidence import SHOWN
from labelprop.runs.tables import thumbnails

# Measured with benchmarks/forecasts.py.
LOADING = 1.5  # seconds: what draws the map is loaded then
MAP_PASSES = 4.0e7  # of a row of the map, as `measured_pace` counts them
ROW_SECONDS = 1e-4  # of a row that the page shows
TRIED = 16  # pictures
RAW_ROWS = 50_000  # propagation on the raw examples is shown for comparison up to this many
RAW_VALUES = 2**28  # and up to this many numbers, 1 GB


def compares_raw(content: Content) -> bool:
    """Whether the examples as they are can be propagated on beside a training."""
    return len(content) <= RAW_ROWS and len(content) * math.prod(content.shape) <= RAW_VALUES


def closing_seconds(samples: Samples, report: bool) -> float:
    """Seconds from the last label to the page; none where no page is wanted."""
    if not report:
        return 0.0
    shown = min(len(samples), SHOWN)
    drawn = MAP_PASSES * min(len(samples), TSNE_ROWS) / measured_pace("cpu").passes
    return LOADING + drawn + ROW_SECONDS * shown + shown * _picture_seconds(samples)


def _picture_seconds(samples: Samples) -> float:
    """Seconds of a small picture, from a few of them; 0 where there is nothing to show."""
    if samples.originals is None or not len(samples):
        return 0.0
    tried = np.arange(len(samples))[:: -(-len(samples) // TRIED)]
    began = time.perf_counter()
    thumbnails(samples, tried)
    return (time.perf_counter() - began) / len(tried)
