"""One file a decoder: from features back to an image."""
