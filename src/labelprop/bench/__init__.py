"""Benches behind `labelprop bench`: methods compared on the same data and budget; one bench a file."""
