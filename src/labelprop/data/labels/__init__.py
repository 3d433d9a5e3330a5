"""Given labels: read, joined to examples, checked; and what is wrong with the data."""
