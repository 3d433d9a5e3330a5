"""Tables: rows, values, and columns of vectors."""
