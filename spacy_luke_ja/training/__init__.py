"""spaCy's training loop, made to survive a kill and a full disk."""
