"""Examples and labels: sources, decoding, ids, checks."""
