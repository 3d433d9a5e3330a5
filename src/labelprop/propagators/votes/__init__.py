"""Votes of labeled rows."""
