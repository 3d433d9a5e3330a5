"""Wall time and peak memory by stage of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from labelprop.core.memory import peak_memory_bytes

Usage = dict[str, float | int]


class StageClock:
    """Adds up the seconds of each stage, and notes the process's peak memory at its end.

    `so_far` continues the counts of a run that was interrupted.
    """

    def __init__(self, so_far: Mapping[str, Usage] | None = None) -> None:
        self.stages: dict[str, Usage] = {name: dict(usage) for name, usage in (so_far or {}).items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, {"seconds": time.perf_counter() - began, "peak_memory_bytes": peak_memory_bytes()})

    def add(self, name: str, usage: Usage) -> None:
        """Adds what another clock counted for a stage."""
        own = self.stages.setdefault(name, {"seconds": 0.0, "peak_memory_bytes": 0})
        own["seconds"] = round(own["seconds"] + usage["seconds"], 3)
        own["peak_memory_bytes"] = max(int(own["peak_memory_bytes"]), int(usage["peak_memory_bytes"]))

    def of(self, prefix: str) -> dict[str, Usage]:
        """Stages whose names begin so, to be kept."""
        return {name: usage for name, usage in self.stages.items() if name.startswith(prefix)}

    def restore(self, kept: Mapping[str, Usage]) -> None:
        """Stages of an interrupted process as they were kept last; none gets less than it has."""
        for name, usage in kept.items():
            if usage["seconds"] > self.stages.get(name, {"seconds": 0.0})["seconds"]:
                self.stages[name] = dict(usage)

    @property
    def seconds(self) -> float:
        return round(sum(usage["seconds"] for usage in self.stages.values()), 3)
