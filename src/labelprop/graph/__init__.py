"""The graph: seeds, neighbors, affinities."""
