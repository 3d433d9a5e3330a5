"""What a network sees of an example: preprocessing, augmentation, batches."""
