"""Style-transfer networks: encoders, transforms, decoders, training and compression."""
