"""Training on folders of images: data, losses, the loop, evaluation."""
