"""Painting pictures with an artifact."""
