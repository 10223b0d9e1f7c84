"""One file a published system; each exposes NETWORK."""
