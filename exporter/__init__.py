"""From a network to an artifact: capture, passes, targets, quantization, the pipeline."""
