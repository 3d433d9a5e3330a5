"""Linear systems that propagators solve."""
