"""Facts about this machine: environment, energy, peak arithmetic rate, memory."""
