"""Reader and reference interpreter of Core ML programs."""
