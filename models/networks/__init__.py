"""Networks, one file per published system; each exposes NETWORK."""
