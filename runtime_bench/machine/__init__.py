"""Facts about this machine: environment, energy, peak throughput, memory."""
