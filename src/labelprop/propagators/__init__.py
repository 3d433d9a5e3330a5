"""Propagators: scikit-learn estimators over pure functions, one propagator a file."""
