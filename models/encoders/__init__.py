"""Encoders, one file per backbone; state-dict keys as torchvision writes them."""
