"""Compression of networks: pruning, distillation, fine-tuning for int8."""
