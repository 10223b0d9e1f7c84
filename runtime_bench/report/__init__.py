"""Latency reports as a page, Markdown, CSV or JSON: what a reader decides from."""
