"""Strings, numbers and arrays: no spaCy, thinc, torch or transformers below this package."""
