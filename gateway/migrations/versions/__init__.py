"""One file a step: v0001 made the first tables."""
