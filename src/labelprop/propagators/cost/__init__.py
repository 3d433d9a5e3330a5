"""Forecasts of the time and memory that a propagation takes."""
