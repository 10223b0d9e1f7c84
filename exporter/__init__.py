"""Exporter: capture, passes, targets, quantization and the pipeline to an artifact."""
