"""Trained methods, one a file; `base` holds what they have in common."""
