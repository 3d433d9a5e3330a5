"""What `AutoPropagation` chose, as a notebook shows it."""

from __future__ import annotations

from typing import Any

from labelprop.core.html import box, sentence, table


def choice_html(estimator: Any) -> str:
    """HTML of a fitted one: what was chosen and why, members with their weights, what was tried on hidden seeds."""
    parts = [sentence(estimator.reason_)]
    members = getattr(estimator, "members_", [])
    if len(members) > 1:
        listed = [
            (name, ", ".join(f"{key}={value}" for key, value in own.items()), float(w)) for name, own, w in members
        ]
        parts.append(table(("joined", "settings", "weight"), listed))
    if estimator.trials_:
        tried = [(name, n_neighbors, f"{right} of {n}") for name, n_neighbors, right, n in estimator.trials_]
        parts.append(table(("tried", "neighbors", "hidden seeds right"), tried))
    return box(f"AutoPropagation chose {estimator.method_}", *parts)
