"""OSTrack and DropTrack: one-stream ViT trackers with early candidate elimination."""
