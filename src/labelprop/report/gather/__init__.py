"""A run folder to numbers."""
