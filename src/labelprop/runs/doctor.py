"""`doctor`: what is wrong with DATA, read as a training by default reads them, and what would be done with them."""

from __future__ import annotations

from pathlib import Path

from labelprop.data.labels.findings import Finding, note
from labelprop.data.labels.inspect import inspect_data
from labelprop.runs import automatic
from labelprop.runs.design import resolve_device
from labelprop.runs.inputs import columns_of, label_options
from labelprop.runs.requests import DoctorRequest, TrainRequest


def examine(request: DoctorRequest) -> tuple[Finding, ...]:
    """All findings; the last one is the account of the files."""
    device = resolve_device("auto")
    training = TrainRequest(data=request.data, image_size=request.image_size, out=Path())
    samples, found = inspect_data(
        request.data,
        request.labels,
        columns=columns_of(request),
        options=label_options(request),
        image_format=automatic.read_as(training, device),
        image_size=request.image_size,
        cache=Path(request.cache) if request.cache else None,
    )
    if samples is None or not len(samples):
        return found
    *findings, account = found
    return (*findings, *map(note, automatic.by_default(training, samples, device)), account)
