"""Phones of the benchmark: file transfer, jobs, and checked reports."""
