"""Training losses and their networks."""
