"""Records on disk in, Examples out."""
