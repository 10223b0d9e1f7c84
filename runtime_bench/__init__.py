"""Reports on artifacts: runners, parity, measurement."""
