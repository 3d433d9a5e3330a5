"""A request to a run folder: read, decide, work, write."""
