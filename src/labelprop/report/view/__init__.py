"""Numbers and sentences to what the page shows."""
