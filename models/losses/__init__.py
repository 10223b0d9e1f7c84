"""Training losses, and the networks in whose features they are measured."""
