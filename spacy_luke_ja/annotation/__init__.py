"""Files of any size in, annotated files out, chunk by chunk; annotate_records alone for engines that read and write."""
