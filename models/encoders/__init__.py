"""One file a backbone; state-dict keys as torchvision writes them."""
