"""Registry of runners: one module per runtime, each exposing RUNNER."""
