"""One file a family of MIL operations, named as coremltools names it; each exposes OPS."""
