"""Ways from a graph to a float32 ``.tflite`` file, one file each; each exposes CONVERTER."""
