"""The choice of `auto`: candidates, their fits on one data set, and the selection."""
