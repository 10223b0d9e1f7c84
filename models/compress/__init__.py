"""Networks made cheaper by training: fine-tuning for int8."""
