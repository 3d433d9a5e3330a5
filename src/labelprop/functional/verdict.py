"""What an iterative solver says of its answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an iterative solver says of its answer, without the answer, which may be large."""

    steps: int
    residual: float  # ||b - A x|| / ||b|| of the worst column
    converged: bool

    @staticmethod
    def worst(*verdicts: Verdict) -> Verdict:
        """The verdict of several solves that all have to hold."""
        return Verdict(
            steps=max(verdict.steps for verdict in verdicts),
            residual=max(verdict.residual for verdict in verdicts),
            converged=all(verdict.converged for verdict in verdicts),
        )
