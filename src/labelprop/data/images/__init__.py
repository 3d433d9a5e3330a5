"""Images: where they stand, how they are decoded, what they become."""
