"""Channel pruning, exact and with retraining."""
