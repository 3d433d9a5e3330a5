"""Mathematics on tensors: tensors in, tensors out; no graph, no files, no state."""
