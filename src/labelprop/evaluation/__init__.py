"""Everything that may read the truth of unlabeled examples, and nothing else may."""
