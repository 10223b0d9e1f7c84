"""What a style-transfer network is: encoders, transforms, decoders, networks, training."""
