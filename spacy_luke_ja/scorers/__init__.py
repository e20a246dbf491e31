"""Examples in, scores out: a file a task."""
