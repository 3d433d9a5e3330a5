"""Public conformance suites: run them over a propagator or method of your own before you register it.

from labelprop.testing import check_propagator
check_propagator(MyPropagator())
"""

from __future__ import annotations

from labelprop.testing.method import check_method
from labelprop.testing.propagator import check_propagator

__all__ = ["check_method", "check_propagator"]
