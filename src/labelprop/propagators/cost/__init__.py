"""What a propagation will take in time and memory."""
