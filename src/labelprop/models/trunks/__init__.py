"""Trunks: networks from examples to features, one a file."""
