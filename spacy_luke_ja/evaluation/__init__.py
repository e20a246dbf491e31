"""Gold and found entities in; scores, errors and the report out."""
