"""One file per measurement format."""
