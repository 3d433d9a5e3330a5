"""What `auto` chooses among, and how."""
