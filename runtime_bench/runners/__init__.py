"""One file a runtime; each exposes RUNNER."""
