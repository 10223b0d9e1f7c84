"""MIL operations, one file per family, named as in coremltools; each exposes OPS."""
