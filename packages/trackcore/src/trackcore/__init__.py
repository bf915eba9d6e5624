"""What trackers share: boxes, crops, ViT blocks, video input and output, safe checkpoints, a training loop."""
