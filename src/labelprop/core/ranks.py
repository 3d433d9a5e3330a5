"""This process among those that train together, as its environment says; nothing here imports torch."""

from __future__ import annotations

import os


def started_together() -> bool:
    """Whether this process was started as one of several, by `launch` or by torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def leads() -> bool:
    """Whether this process is the first of those started together, or alone."""
    return os.environ.get("RANK", "0") == "0"
