"""Training on folders of images: data, objectives, loop, evaluation."""
