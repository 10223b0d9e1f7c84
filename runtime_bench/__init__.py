"""From an artifact to reports: runners, parity, measurement."""
