"""Quantization policy: calibration data, precision conversion, accounting."""
