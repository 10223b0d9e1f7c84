"""Documents exchanged with devices: job, latency report and their JSON Schemas."""
