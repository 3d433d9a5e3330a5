"""What propagators share: the estimator around each, its parameters, graphs and results."""
