"""Published checkpoints in, model folders out: read, check every key and shape, write."""
